/** Writes values as fields of a COPY row: an int32 length and the bytes, as the column's type has them. */

import * as bson from './bson';
import * as codes from '../codes';
import { misfit, refused } from './outcome';
import { copyBytes, writeHex, writeInt32 } from './bytes';
import { writeJson } from './json';
import { Column } from './names';
import {
  fitsNumeric,
  writeAsDouble,
  writeAsFloat,
  writeAsInt16,
  writeAsInt32,
  writeAsInt64,
  writeAsMoney,
  writeAsNumeric,
} from './numbers';
import { countCharacters, writeText } from './text';
import { writeDay, writeTimestamp } from './times';
import { readUuid, uuidTextBytes } from './uuid';

/** The length that marks NULL. */
export const copyNull: u32 = -1;

/** The version of jsonb's binary form. */
const jsonbVersion: u8 = 1;

/** An entry in a B-tree has 2,704 bytes at most, and jsonb can be four times as long as its text. */
const maxSureKeyBytes: usize = 640;

/** Writes the value that the column was set to; null is for the caller, except as `_id`. */
export function writeColumn(out: usize, column: Column): usize {
  if (!column.isId) return writeField(out, column);
  // An order of keys has a form of its own in an `_id`, which is rare.
  if (column.type === bson.typeObject || column.type === bson.typeArray) return refused;
  const end = writeField(out, column);
  return end === misfit || end - out > maxSureKeyBytes ? refused : end;
}

function writeField(out: usize, column: Column): usize {
  return writeValue(out, column, column.kind);
}

/** Writes an array of PostgreSQL of one dimension: src/backend/utils/adt/arrayfuncs.c (array_recv). */
function writeValues(out: usize, column: Column): usize {
  if (column.type !== bson.typeArray) return misfit;
  const nameEnd = column.nameEnd;
  const arrayEnd = column.end;
  const end = writeElements(out, column, column.start + 4, arrayEnd - 1);
  // It was set to each of the elements.
  column.type = bson.typeArray;
  column.nameEnd = nameEnd;
  column.end = arrayEnd;
  return end;
}

function writeElements(out: usize, column: Column, at: usize, terminator: usize): usize {
  let hasNull = false;
  let count = 0;
  let end = out + 4 + arrayHeaderBytes;
  for (; at !== terminator; count++) {
    const type: u32 = load<u8>(at);
    const nameEnd = bson.findNul(at + 1, terminator);
    if (nameEnd === terminator) return refused;
    at = bson.endOfValue(type, nameEnd + 1, terminator);
    if (at === 0) return refused;
    if (type === bson.typeNull) {
      hasNull = true;
      end = writeInt32(end, copyNull);
      continue;
    }
    column.type = type;
    column.nameEnd = nameEnd;
    column.end = at;
    end = writeValue(end, column, column.elementKind);
    if (end === refused || end === misfit) return end;
  }
  // Without elements there is no dimension.
  if (count === 0) end = out + 4 + emptyArrayHeaderBytes;
  out = writeInt32(out, (end - out - 4) as u32);
  out = writeInt32(writeInt32(out, count === 0 ? 0 : 1), hasNull ? 1 : 0);
  out = writeInt32(out, column.elementOid);
  if (count > 0) writeInt32(writeInt32(out, count), 1);
  return end;
}

/** The number of dimensions, a flag, and the type of the elements. */
const emptyArrayHeaderBytes: usize = 12;
/** The same, and of the dimension its length and its first index. */
const arrayHeaderBytes: usize = 20;

function writeValue(out: usize, column: Column, kind: i32): usize {
  const type = column.type;
  const start = column.start;
  switch (kind) {
    case codes.kindObjectId:
      if (type !== bson.typeObjectId) return misfit;
      return writeHex(writeInt32(out, 24), start, 12);
    case codes.kindObjectIdBytes:
      return type === bson.typeObjectId ? writeBytes(out, start, start + 12) : misfit;
    case codes.kindString:
      return type === bson.typeString ? writeString(out, start, column.end) : misfit;
    case codes.kindSymbol:
      return type === bson.typeSymbol ? writeString(out, start, column.end) : misfit;
    case codes.kindText:
      return writeAsText(out, column, type, start, column.end);
    case codes.kindName:
      if (column.end - start - 5 > (column.limit as usize) && type !== bson.typeObjectId) return misfit;
      return writeAsText(out, column, type, start, column.end);
    case codes.kindEnum:
      return writeLabel(out, column, type, start, column.end);
    case codes.kindInt16:
      return writeAsInt16(out, type, start);
    case codes.kindInt32:
      return writeAsInt32(out, type, start);
    case codes.kindInt64:
      return writeAsInt64(out, type, start);
    case codes.kindFloat:
      return writeAsFloat(out, type, start);
    case codes.kindDouble:
      return writeAsDouble(out, type, start);
    case codes.kindDecimal: {
      const end = writeAsNumeric(out, type, start, column.isId);
      if (end === refused || end === misfit || column.limit === 0) return end;
      return fitsNumeric(out, column.limit, column.scale) ? end : misfit;
    }
    case codes.kindMoney:
      return writeAsMoney(out, type, start, column.limit, column.scale);
    case codes.kindBoolean:
      if (type !== bson.typeBool) return misfit;
      store<u8>(writeInt32(out, 1), load<u8>(start));
      return out + 5;
    case codes.kindDate:
      return type === bson.typeDate ? writeTimestamp(out, load<i64>(start), max(column.limit, 1)) : misfit;
    case codes.kindDay:
      return type === bson.typeDate ? writeDay(out, load<i64>(start)) : misfit;
    case codes.kindUuid:
      return writeAsUuid(out, type, start, column.end);
    case codes.kindUuidOrText:
      if (type === bson.typeString) return writeTextAsUuid(out, start, column.end);
      return writeAsUuid(out, type, start, column.end);
    case codes.kindBinary:
      return writeAsBinary(out, type, start, column.end, column.subtype);
    case codes.kindBytes:
      if (type === bson.typeObjectId) return writeBytes(out, start, start + 12);
      return writeAsBinary(out, type, start, column.end, column.subtype);
    case codes.kindJson:
      return writeJsonb(out, type, start, column.end, column.style, column.maxJsonBytes);
    case codes.kindJsonText:
      return endJsonb(out, writeJson(out + 4, type, start, column.end, column.style, 0), column.maxJsonBytes);
    case codes.kindValues:
      return writeValues(out, column);
    default:
      return refused;
  }
}

function writeAsUuid(out: usize, type: u32, start: usize, end: usize): usize {
  if (type !== bson.typeBinary || end - start !== 5 + 16) return misfit;
  return load<u8>(start + 4) === bson.subtypeUuid ? writeBytes(out, start + 5, end) : misfit;
}

function writeTextAsUuid(out: usize, start: usize, end: usize): usize {
  if (end - start !== 5 + uuidTextBytes) return misfit;
  return readUuid(writeInt32(out, 16), start + 4) ? out + 20 : misfit;
}

function writeAsBinary(out: usize, type: u32, start: usize, end: usize, subtype: u32): usize {
  if (type !== bson.typeBinary || load<u8>(start + 4) !== subtype) return misfit;
  return writeBytes(out, bson.contentOfBinary(start), end);
}

/** A row with text that is too long is written by the encoder outside, if the value cannot go elsewhere. */
function writeAsText(out: usize, column: Column, type: u32, start: usize, end: usize): usize {
  const limit = column.limit;
  if (type === bson.typeObjectId) {
    return limit === 0 || limit >= 24 ? writeHex(writeInt32(out, 24), start, 12) : misfit;
  }
  if (type !== bson.typeString && type !== bson.typeSymbol) return misfit;
  if (limit === 0 || end - start - 5 <= (limit as usize)) return writeString(out, start, end);
  return countCharacters(start + 4, end - 1) <= (limit as usize) ? writeString(out, start, end) : misfit;
}

function writeLabel(out: usize, column: Column, type: u32, start: usize, end: usize): usize {
  const labels = column.labels;
  if (type !== bson.typeString || labels === null) return misfit;
  const label = labels.find(start + 4, end);
  // With the NUL at its end, before which none may be.
  return label !== null && label.size === end - start - 4 ? writeString(out, start, end) : misfit;
}

function writeBytes(out: usize, start: usize, end: usize): usize {
  const length = end - start;
  return copyBytes(writeInt32(out, length as u32), start, length);
}

function writeString(out: usize, start: usize, end: usize): usize {
  // What is written has the length of what is read: anything else is refused.
  return writeText(writeInt32(out, ((end - start) as u32) - 5), start + 4, end - 1);
}

export function writeJsonb(
  out: usize,
  type: u32,
  start: usize,
  end: usize,
  style: i32,
  maxJsonBytes: i32,
): usize {
  store<u8>(out, jsonbVersion, 4);
  return endJsonb(out, writeJson(out + 5, type, start, end, style, 0), maxJsonBytes);
}

/** Begins a jsonb field, the text of which the caller writes and `endJsonb` ends. */
export function beginJsonb(out: usize): usize {
  store<u8>(out, jsonbVersion, 4);
  return out + 5;
}

export function endJsonb(out: usize, end: usize, maxJsonBytes: i32): usize {
  if (end === refused) return refused;
  const length = ((end - out) as i32) - 4;
  if (length > maxJsonBytes) return refused;
  writeInt32(out, length);
  return end;
}
