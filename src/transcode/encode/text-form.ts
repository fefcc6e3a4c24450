/**
 * Converts binary forms of values to text forms, which the type's input function reads as the same value, with any session
 * settings. So only the binary encoder decides whether a value fits its column.
 */

import type { BsonBytes } from '../../bson/cursor.ts';
import { two32, writeDay, writeInteger, writeNumber, writePadded, writeSeconds } from '../../bson/digits.ts';
import { copyNull } from '../field.ts';
import { numericSigns } from './numeric.ts';
import type { Output } from '../../bson/output.ts';

/** Writes the text of the value whose binary form lies between these offsets. */
export type WriteText = (source: BsonBytes, start: number, end: number, output: Output) => void;

/** Longer text is copied faster natively. */
const loopBytes = 64;

/** Its binary form is its text. */
export const writeAsItIs: WriteText = ({ bytes, view }, start, end, output) => {
  const length = end - start;
  output.reserve(length);
  const { position } = output;
  if (length >= loopBytes) bytes.copy(output.bytes, position, start, end);
  else for (let i = 0; i < length; i++) output.bytes[position + i] = view.getUint8(start + i);
  output.position = position + length;
};

/** As a number: exact if the number is a safe integer, and only then. */
export function readInt64(view: DataView, start: number): number {
  return view.getInt32(start) * two32 + view.getUint32(start + 4);
}

export function writeDouble(value: number, output: Output): void {
  if (Number.isFinite(value) && !Object.is(value, -0)) writeNumber(value, output);
  else output.writeAscii(value === 0 ? '-0' : String(value));
}

const pointByte = 0x2e;
const minus = 0x2d;

/** The binary form is described in `numeric.ts`. */
export function writeNumeric({ view }: BsonBytes, at: number, _end: number, output: Output): void {
  const count = view.getInt16(at);
  const weight = view.getInt16(at + 2);
  const sign = view.getUint16(at + 4);
  let places = view.getUint16(at + 6);
  if (sign !== numericSigns.positive && sign !== numericSigns.negative) {
    output.writeAscii(specialNumerics[sign] ?? '');
    return;
  }
  if (sign === numericSigns.negative) output.writeByte(minus);
  // Groups of four digits; leading and trailing zero groups may be omitted.
  const groupAt = (index: number): number =>
    index >= 0 && index < count ? view.getUint16(at + 8 + index * 2) : 0;
  writeInteger(weight >= 0 ? groupAt(0) : 0, output);
  for (let index = 1; index <= weight; index++) writePadded(groupAt(index), 4, output);
  if (places > 0) output.writeByte(pointByte);
  for (let index = weight + 1; places > 0; index++, places -= 4) writePadded(groupAt(index), 4, output);
  // The last group had more places than are shown.
  output.position += places;
}

const specialNumerics: Partial<Record<number, string>> = {
  [numericSigns.nan]: 'NaN',
  [numericSigns.infinity]: 'Infinity',
  [numericSigns.minusInfinity]: '-Infinity',
};

/** Every locale reads a negative amount in parentheses. */
export function showMoney(units: bigint, scale: number, decimalPoint: string): string {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0');
  const point = digits.length - scale;
  const text = scale === 0 ? digits : digits.slice(0, point) + decimalPoint + digits.slice(point);
  return units < 0n ? `(${text})` : text;
}

const msPerDay = 86_400_000;
const microsPerDay = 86_400_000_000;
/** Postgres counts from 2000-01-01. */
const epochDays = Date.UTC(2000, 0, 1) / msPerDay;
const firstPlainDay = Date.UTC(1000, 0, 1) / msPerDay - epochDays;
const endPlainDay = Date.UTC(10_000, 0, 1) / msPerDay - epochDays;
/** The calendar repeats after this many years. */
const yearsOfCycle = 400;
const daysOfCycle = 146_097;
const bc = ' BC';

/**
 * With at least four digits, a year cannot be read as a day or a month.
 *
 * @param days since 2000-01-01; far more than a Date of JavaScript has
 * @returns whether the year is BC, which is written after the time
 */
function writeAnyDay(days: number, output: Output): boolean {
  if (days >= firstPlainDay && days < endPlainDay) {
    writeDay(days + epochDays, output);
    return false;
  }
  const cycle = Math.floor(days / daysOfCycle);
  const date = new Date((days - cycle * daysOfCycle + epochDays) * msPerDay);
  const year = date.getUTCFullYear() + cycle * yearsOfCycle;
  const isBc = year <= 0;
  output.writeAscii(String(isBc ? 1 - year : year).padStart(4, '0') + date.toISOString().slice(4, 10));
  return isBc;
}

export function writeDate({ view }: BsonBytes, start: number, _end: number, output: Output): void {
  if (writeAnyDay(view.getInt32(start), output)) output.writeAscii(bc);
}

/** A `timestamp` without time zone ignores the zone. */
export function writeTimestamp({ view }: BsonBytes, start: number, _end: number, output: Output): void {
  const micros = readInt64(view, start);
  const isSafe = Number.isSafeInteger(micros);
  const days = isSafe ? Math.floor(micros / microsPerDay) : floorDays(view.getBigInt64(start));
  const isBc = writeAnyDay(days, output);
  output.writeByte(space);
  const ofDay = isSafe
    ? micros - days * microsPerDay
    : Number(view.getBigInt64(start) - BigInt(days) * BigInt(microsPerDay));
  writeMicros(ofDay, output);
  output.writeAscii(isBc ? `+00${bc}` : '+00');
}

function floorDays(micros: bigint): number {
  const days = micros / BigInt(microsPerDay);
  return Number(micros < days * BigInt(microsPerDay) ? days - 1n : days);
}

const space = 0x20;

/** @param micros since midnight */
export function writeMicros(micros: number, output: Output): void {
  const seconds = Math.floor(micros / 1_000_000);
  writeSeconds(seconds, output);
  output.writeByte(pointByte);
  writePadded(micros - seconds * 1_000_000, 6, output);
}

const quoteByte = 0x22;
const backslashByte = 0x5c;
const escapesInQuotes = escapes({ '"': '"', '\\': '\\' });

/** The binary form is described in `encode-array.ts`. */
export function createArrayForm(writeElement: WriteText, delimiter: string): WriteText {
  return (source, start, _end, output) => {
    const { view } = source;
    const dimensions = view.getInt32(start);
    const lengths = Array.from({ length: dimensions }, (_, index) => view.getInt32(start + 12 + index * 8));
    let at = start + 12 + dimensions * 8;
    const writeLevel = (level: number): void => {
      output.writeAscii('{');
      for (let index = 0; index < (lengths[level] ?? 0); index++) {
        if (index > 0) output.writeAscii(delimiter);
        if (level + 1 < dimensions) writeLevel(level + 1);
        else at = writeQuoted(source, at, output);
      }
      output.writeAscii('}');
    };
    writeLevel(0);
  };

  /** @returns where the next begins */
  function writeQuoted(source: BsonBytes, at: number, output: Output): number {
    const length = source.view.getInt32(at);
    if (length === copyNull) {
      output.writeAscii('NULL');
      return at + 4;
    }
    output.writeByte(quoteByte);
    const textStart = output.position;
    writeElement(source, at + 4, at + 4 + length, output);
    escapeWritten(output, textStart, escapesInQuotes);
    output.writeByte(quoteByte);
    return at + 4 + length;
  }
}

/** For each byte its letter after a backslash, or 0 if it is not escaped. */
export type Escapes = Uint8Array;

export function escapes(letters: Readonly<Record<string, string>>): Escapes {
  const table = new Uint8Array(256);
  for (const [character, letter] of Object.entries(letters)) {
    table[character.charCodeAt(0)] = letter.charCodeAt(0);
  }
  return table;
}

/** Escapes the text from `start` on. In UTF-8, bytes of multi-byte characters never equal ASCII. */
export function escapeWritten(output: Output, start: number, letters: Escapes): void {
  const { view, position: end } = output;
  let count = 0;
  for (let at = start; at < end; at++) if (letters[view.getUint8(at)] !== 0) count++;
  if (count === 0) return;
  output.reserve(count);
  const { bytes } = output;
  output.position = end + count;
  // From the end on, so that nothing is overwritten before it was moved.
  for (let left = count, from = end - 1; left > 0; from--) {
    const byte = bytes[from] ?? 0;
    const letter = letters[byte] ?? 0;
    bytes[from + left] = letter === 0 ? byte : letter;
    if (letter !== 0) bytes[from + --left] = backslashByte;
  }
}
