/** Refuses numbers that Postgres would round to fit a column of type numeric(precision, scale). */

import type { ValueType } from '../column-target.ts';
import { readInfinity } from './numeric.ts';
import type { EncodeField } from '../field.ts';

/** Decimal digits of one digit of a numeric. */
const places = 4;

/** `encode` writes a field of type numeric, which is checked, and removed if it does not fit. */
export function limitNumeric(
  encode: EncodeField,
  { precision, scale = 0 }: Pick<ValueType, 'precision' | 'scale'>,
): EncodeField {
  if (precision === undefined) return encode;
  return (source, start, end, output) => {
    const lengthAt = output.position;
    if (!encode(source, start, end, output)) return false;
    if (fits(output.view, lengthAt + 4, precision, scale)) return true;
    output.position = lengthAt;
    return false;
  };
}

/** Whether neither the first digit of the number lies above those of the column, nor the last below. */
function fits(view: DataView, at: number, precision: number, scale: number): boolean {
  if (readInfinity(view, at)) return false;
  const digitAt = (index: number): number => view.getUint16(at + 8 + index * 2);
  let last = view.getInt16(at) - 1;
  // Zero, and NaN.
  if (last < 0) return true;
  const weight = view.getInt16(at + 2);
  const highest = weight * places + String(digitAt(0)).length - 1;
  while (last > 0 && digitAt(last) === 0) last--;
  const trailing = /0*$/.exec(String(digitAt(last)))?.[0].length ?? 0;
  const lowest = (weight - last) * places + trailing;
  return highest < precision - scale && lowest >= -scale;
}
