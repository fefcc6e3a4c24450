/** Writes BSON values as Extended JSON v2: https://github.com/mongodb/specifications/blob/master/source/extended-json.md */

import * as bson from './bson';
import { styleCanonical, stylePlain } from '../codes';
import { refused } from './outcome';
import { writeBase64, writeHex } from './bytes';
import { readDecimal, writeDecimal } from './decimal';
import { writeInteger, writeIsoDate, writeUnsigned } from './digits';
import { isMinusZero, writeCanonicalNumber, writeNumber } from './double';
import { writeAscii, writeJsonString } from './text';
import { writeUuid } from './uuid';

/** Deeper documents are rare, and the stack is not endless. */
const maxDepth: i32 = 64;

/** 0001-01-01T00:00:00Z: PostgreSQL knows no year 0. */
const year1Ms: i64 = -62_135_596_800_000;
/** 10000-01-01T00:00:00Z: from here on a date has no text with a year of four digits. */
const year10000Ms: i64 = 253_402_300_800_000;

/** @param end where the value was found to end */
export function writeJson(out: usize, type: u32, start: usize, end: usize, style: i32, depth: i32): usize {
  switch (type) {
    case bson.typeString:
      return writeJsonString(out, start + 4, end - 1);
    case bson.typeInt:
      return writeWhole(out, load<i32>(start), style, '{"$numberInt":"');
    case bson.typeLong:
      return writeWhole(out, load<i64>(start), style, '{"$numberLong":"');
    case bson.typeDouble:
      return writeDouble(out, load<f64>(start), style);
    case bson.typeObject:
      return writeObject(out, start, end, style, depth);
    case bson.typeArray:
      return writeArray(out, start, end, style, depth);
    case bson.typeObjectId:
      if (style === stylePlain) return writeQuotedHex(out, start);
      return writeAscii(writeHex(writeAscii(out, '{"$oid":"'), start, 12), '"}');
    case bson.typeBool:
      return writeAscii(out, load<u8>(start) === 1 ? 'true' : 'false');
    case bson.typeDate:
      return writeDate(out, load<i64>(start), style);
    case bson.typeNull:
      return writeAscii(out, 'null');
    case bson.typeDecimal:
      return writeJsonDecimal(out, start, style);
    case bson.typeBinary:
      return writeBinary(out, start, end, style);
    default:
      return writeRare(out, type, start, end, style);
  }
}

function writeRare(out: usize, type: u32, start: usize, end: usize, style: i32): usize {
  switch (type) {
    case bson.typeUndefined:
      return writeAscii(out, '{"$undefined":true}');
    case bson.typeMinKey:
      return writeAscii(out, '{"$minKey":1}');
    case bson.typeMaxKey:
      return writeAscii(out, '{"$maxKey":1}');
    case bson.typeTimestamp:
      out = writeUnsigned(writeAscii(out, '{"$timestamp":{"t":'), load<u32>(start, 4));
      out = writeUnsigned(writeAscii(out, ',"i":'), load<u32>(start));
      return writeAscii(out, '}}');
    case bson.typeSymbol:
      if (style === stylePlain) return writeJsonString(out, start + 4, end - 1);
      return closeObject(writeJsonString(writeAscii(out, '{"$symbol":'), start + 4, end - 1));
    case bson.typeCode:
      return closeObject(writeJsonString(writeAscii(out, '{"$code":'), start + 4, end - 1));
    case bson.typeRegex: {
      const patternEnd = bson.findNul(start, end);
      out = writeJsonString(writeAscii(out, '{"$regularExpression":{"pattern":'), start, patternEnd);
      if (out === refused) return refused;
      out = closeObject(writeJsonString(writeAscii(out, ',"options":'), patternEnd + 1, end - 1));
      return closeObject(out);
    }
    case bson.typeDbPointer:
      out = writeJsonString(writeAscii(out, '{"$dbPointer":{"$ref":'), start + 4, end - 13);
      if (out === refused) return refused;
      out = writeHex(writeAscii(out, ',"$id":{"$oid":"'), end - 12, 12);
      return writeAscii(out, '"}}}');
    default:
      return refused;
  }
}

/** Hands on what was refused. */
function closeObject(out: usize): usize {
  if (out === refused) return refused;
  store<u8>(out, 0x7d);
  return out + 1;
}

function writeObject(out: usize, start: usize, end: usize, style: i32, depth: i32): usize {
  if (depth >= maxDepth) return refused;
  const terminator = end - 1;
  let separator: u8 = 0x7b;
  for (let at = start + 4; at !== terminator;) {
    const type: u32 = load<u8>(at);
    const nameStart = at + 1;
    const nameEnd = bson.findNul(nameStart, terminator);
    if (nameEnd === terminator) return refused;
    at = bson.endOfValue(type, nameEnd + 1, terminator);
    if (at === 0) return refused;
    store<u8>(out, separator);
    separator = 0x2c;
    out = writeMember(out + 1, nameStart, nameEnd, type, at, style, depth);
    if (out === refused) return refused;
  }
  if (separator === 0x7b) store<u8>(out++, separator);
  store<u8>(out, 0x7d);
  return out + 1;
}

/** A name, a colon, and the value that follows the name and ends at `end`. */
export function writeMember(
  out: usize,
  nameStart: usize,
  nameEnd: usize,
  type: u32,
  end: usize,
  style: i32,
  depth: i32,
): usize {
  out = writeJsonString(out, nameStart, nameEnd);
  if (out === refused) return refused;
  store<u8>(out, 0x3a);
  return writeJson(out + 1, type, nameEnd + 1, end, style, depth + 1);
}

/** The names in an array are its indices, or should be: only the order of its elements counts, as in MongoDB. */
function writeArray(out: usize, start: usize, end: usize, style: i32, depth: i32): usize {
  if (depth >= maxDepth) return refused;
  const terminator = end - 1;
  let separator: u8 = 0x5b;
  for (let at = start + 4; at !== terminator;) {
    const type: u32 = load<u8>(at);
    const nameEnd = bson.findNul(at + 1, terminator);
    if (nameEnd === terminator) return refused;
    at = bson.endOfValue(type, nameEnd + 1, terminator);
    if (at === 0) return refused;
    store<u8>(out, separator);
    separator = 0x2c;
    out = writeJson(out + 1, type, nameEnd + 1, at, style, depth + 1);
    if (out === refused) return refused;
  }
  if (separator === 0x5b) store<u8>(out++, separator);
  store<u8>(out, 0x5d);
  return out + 1;
}

function writeWhole(out: usize, value: i64, style: i32, open: string): usize {
  if (style !== styleCanonical) return writeInteger(out, value);
  return writeAscii(writeInteger(writeAscii(out, open), value), '"}');
}

/** NaN, infinities and -0 are no JSON numbers, or none of jsonb, and have one form in every style. */
function writeDouble(out: usize, value: f64, style: i32): usize {
  const isNumber = abs(value) < Infinity && !isMinusZero(value);
  if (style !== styleCanonical && isNumber) return writeNumber(out, value);
  out = writeCanonicalNumber(writeAscii(out, '{"$numberDouble":"'), value);
  return out === refused ? refused : writeAscii(out, '"}');
}

function writeJsonDecimal(out: usize, start: usize, style: i32): usize {
  if (!readDecimal(start)) return refused;
  if (style === stylePlain) return writeDecimal(out);
  return writeAscii(writeDecimal(writeAscii(out, '{"$numberDecimal":"')), '"}');
}

function writeDate(out: usize, epochMs: i64, style: i32): usize {
  const firstIsoMs = style === stylePlain ? year1Ms : 0;
  if (style === styleCanonical || epochMs < firstIsoMs || epochMs >= year10000Ms) {
    return writeAscii(writeInteger(writeAscii(out, '{"$date":{"$numberLong":"'), epochMs), '"}}');
  }
  out = writeIsoDate(writeAscii(out, style === stylePlain ? '"' : '{"$date":"'), epochMs);
  return writeAscii(out, style === stylePlain ? '"' : '"}');
}

function writeQuotedHex(out: usize, start: usize): usize {
  store<u8>(out, 0x22);
  out = writeHex(out + 1, start, 12);
  store<u8>(out, 0x22);
  return out + 1;
}

function writeBinary(out: usize, start: usize, end: usize, style: i32): usize {
  const subtype: u32 = load<u8>(start + 4);
  if (style === stylePlain && subtype === bson.subtypeUuid && end - start === 5 + 16) {
    store<u8>(out, 0x22);
    out = writeUuid(out + 1, start + 5);
    store<u8>(out, 0x22);
    return out + 1;
  }
  out = writeBase64(writeAscii(out, '{"$binary":{"base64":"'), bson.contentOfBinary(start), end);
  out = writeAscii(out, '","subType":"');
  store<u8>(out, hexDigit(subtype >> 4));
  store<u8>(out + 1, hexDigit(subtype & 15));
  return writeAscii(out + 2, '"}}');
}

function hexDigit(value: u32): u32 {
  return value < 10 ? 0x30 + value : 0x57 + value;
}
