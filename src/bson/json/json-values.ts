/** Writes the BSON values that have the same Extended JSON in every style. */

import type { BsonBytes } from '../cursor.ts';
import { writeInt64, writeInteger } from '../digits.ts';
import { hexDigit, writeHex } from '../hex.ts';
import { text, writeLiteral } from './json-literals.ts';
import { writeJsonString } from './json-string.ts';
import type { Output } from '../output.ts';
import type { NulPolicy } from '../nul-policy.ts';
import { findBinaryContent } from '../binary.ts';

export function writeObjectId(view: DataView, start: number, output: Output): void {
  writeLiteral(text.objectId, output);
  writeHex(view, start, start + 12, output);
  writeLiteral(text.endQuoted, output);
}

export function writeNumberInt(view: DataView, start: number, output: Output): void {
  writeLiteral(text.numberInt, output);
  writeInteger(view.getInt32(start, true), output);
  writeLiteral(text.endQuoted, output);
}

export function writeNumberLong(view: DataView, start: number, output: Output): void {
  writeLiteral(text.numberLong, output);
  writeInt64(view, start, output);
  writeLiteral(text.endQuoted, output);
}

/** For NaN, the infinities and -0, which are not numbers in JSON or jsonb: they have this form in every style. */
export function writeNumberDouble(value: number, output: Output): void {
  writeLiteral(text.numberDouble, output);
  const shown = Object.is(value, -0) ? '-0.0' : Number.isInteger(value) ? value.toFixed(1) : value.toString();
  output.writeAscii(shown);
  writeLiteral(text.endQuoted, output);
}

export function writeBinary(source: BsonBytes, start: number, end: number, output: Output): void {
  const subtype = source.view.getUint8(start + 4);
  writeLiteral(text.binary, output);
  output.writeAscii(source.bytes.toString('base64', findBinaryContent(source.view, start), end));
  writeLiteral(text.binarySubtype, output);
  output.writeByte(hexDigit(subtype >>> 4));
  output.writeByte(hexDigit(subtype & 15));
  writeLiteral(text.endQuoted, output);
  writeLiteral(text.end, output);
}

/** The two halves of a uint64: seconds in the upper one, the ordinal in the lower one. */
export function writeTimestamp(view: DataView, start: number, output: Output): void {
  writeLiteral(text.timestamp, output);
  writeInteger(view.getUint32(start + 4, true), output);
  writeLiteral(text.timestampOrdinal, output);
  writeInteger(view.getUint32(start, true), output);
  writeLiteral(text.endEnd, output);
}

/**
 * The options keep their order: by the specification, they are sorted by the writer of a regular expression.
 */
export function writeRegex(source: BsonBytes, start: number, end: number, output: Output): void {
  const patternEnd = source.bytes.indexOf(0, start);
  writeLiteral(text.regex, output);
  writeJsonString(source, start, patternEnd, output);
  writeLiteral(text.regexOptions, output);
  writeJsonString(source, patternEnd + 1, end - 1, output);
  writeLiteral(text.endEnd, output);
}

export function writeDbPointer(
  source: BsonBytes,
  start: number,
  end: number,
  output: Output,
  nul: NulPolicy | 'escape',
): void {
  writeLiteral(text.dbPointer, output);
  writeJsonString(source, start + 4, end - 13, output, nul);
  writeLiteral(text.dbPointerId, output);
  writeObjectId(source.view, end - 12, output);
  writeLiteral(text.endEnd, output);
}
