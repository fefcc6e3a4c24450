/** Encodes values as text, or as types that Postgres reads from text, if it would neither truncate nor round them. */

import type { ValueType } from '../column-target.ts';
import { encodeObjectId } from './encode-bytes.ts';
import type { EncodeField } from '../field.ts';
import type { Output } from '../../bson/output.ts';
import { copyText } from '../../bson/utf8.ts';
import type { NulPolicy } from '../../bson/nul-policy.ts';

const encodePlainText: Readonly<Record<NulPolicy, EncodeField>> = {
  reject: createPlainTextEncoder('reject'),
  strip: createPlainTextEncoder('strip'),
  replace: createPlainTextEncoder('replace'),
};

/** A string as it is. */
export function plainTextEncoder(nul: NulPolicy): EncodeField {
  return encodePlainText[nul];
}

function createPlainTextEncoder(nul: NulPolicy): EncodeField {
  return (source, start, end, output) => {
    const length = end - start - 5;
    const lengthAt = output.position;
    output.writeInt32(length);
    copyText(source, start + 4, end - 1, output, nul);
    const written = output.position - lengthAt - 4;
    // A NUL was stripped or replaced.
    if (written !== length) output.view.setInt32(lengthAt, written);
    return true;
  };
}

type TextLimits = Pick<ValueType, 'maxCharacters' | 'maxBytes'>;

export interface TextOptions {
  readonly nul: NulPolicy;
  /** See `KindOptions`. */
  readonly leavesTooLong: boolean;
}

export function createTextEncoder(
  { maxCharacters, maxBytes }: TextLimits,
  { nul, leavesTooLong }: TextOptions,
): EncodeField {
  const encode = plainTextEncoder(nul);
  if (maxCharacters === undefined && maxBytes === undefined) return encode;
  return (source, start, end, output) => {
    const lengthAt = output.position;
    encode(source, start, end, output);
    const isTaken =
      maxBytes === undefined
        ? isTakenUncut(output, lengthAt + 4, maxCharacters ?? 0, leavesTooLong)
        : output.position - lengthAt - 4 <= maxBytes;
    if (!isTaken) output.position = lengthAt;
    return isTaken;
  };
}

/** Postgres silently truncates blanks beyond the limit; with any other character beyond it, it rejects the row. */
function isTakenUncut(
  { bytes, position }: Output,
  start: number,
  maxCharacters: number,
  leavesTooLong: boolean,
): boolean {
  if (position - start <= maxCharacters) return true;
  let characters = 0;
  for (let at = start; at < position; at++) {
    const byte = bytes[at] ?? 0;
    // Bytes in the middle of a character in UTF-8.
    if ((byte & 0xc0) === 0x80) continue;
    if (++characters > maxCharacters && byte !== 0x20) return leavesTooLong;
  }
  return characters <= maxCharacters;
}

/** The digits of an object id. */
export function encodeHexId({ maxCharacters = 24 }: TextLimits): EncodeField {
  return maxCharacters < 24 ? () => false : encodeObjectId;
}

export function createEnumEncoder(labels: readonly string[]): EncodeField {
  const known = new Set(labels);
  const encode = plainTextEncoder('reject');
  return (source, start, end, output) =>
    known.has(source.bytes.toString('utf8', start + 4, end - 1)) && encode(source, start, end, output);
}

/** A string for a type whose input function parses it; Postgres decides whether it is valid. */
export function createFormEncoder({ secondPlaces, hasDoubles }: ValueType, nul: NulPolicy): EncodeField {
  const encode = plainTextEncoder(nul);
  if (secondPlaces === undefined && hasDoubles !== true) return encode;
  return (source, start, end, output) => {
    const text = source.bytes.toString('latin1', start + 4, end - 1);
    const isExact = hasDoubles === true ? hasExactDoubles(text) : !hasFinerSeconds(text, secondPlaces ?? 0);
    return isExact && encode(source, start, end, output);
  };
}

function hasFinerSeconds(text: string, places: number): boolean {
  return Array.from(text.matchAll(/\.(\d+)/g)).some(([, digits = '']) => /[1-9]/.test(digits.slice(places)));
}

/** Whether each number in the text has a double that is shown with the same digits. */
function hasExactDoubles(text: string): boolean {
  const numbers = text.match(/(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/gi) ?? [];
  return numbers.every((number) => digitsOf(number) === digitsOf(String(Number(number))));
}

function digitsOf(number: string): string {
  const [mantissa = ''] = number.toLowerCase().split('e');
  return mantissa.replace('.', '').replace(/^0+|0+$/g, '');
}
