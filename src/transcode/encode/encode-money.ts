/** Encodes numbers as money: an int64 of the smallest unit, which depends on the database's locale. */

import { beginField, type EncodeField } from '../field.ts';
import { limitNumeric } from './limit-numeric.ts';
import { readUnits } from './numeric.ts';

/** All digits of an int64. */
const maxDigits = 19;

/**
 * @param encode writes a field of type numeric, which is replaced
 * @param scale the decimal places of money
 */
export function createMoneyEncoder(encode: EncodeField, scale: number): EncodeField {
  const encodeLimited = limitNumeric(encode, { precision: maxDigits, scale });
  return (source, start, end, output) => {
    const lengthAt = output.position;
    if (!encodeLimited(source, start, end, output)) return false;
    const units = readUnits(output.view, lengthAt + 4, scale);
    output.position = lengthAt;
    if (units === null || BigInt.asIntN(64, units) !== units) return false;
    const at = beginField(output, 8);
    output.view.setBigInt64(at, units);
    return true;
  };
}
