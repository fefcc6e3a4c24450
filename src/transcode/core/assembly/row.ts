/**
 * Writes the fields of one row. As long as fields come in the plan's order they are written while the document is walked
 * over, and a column that is passed over is NULL. If one comes too late, the document is walked over again: first all values
 * are found, and then written.
 */

import * as bson from './bson';
import * as codes from '../codes';
import { misfit, refused, unordered } from './outcome';
import { writeInt32 } from './bytes';
import { beginJsonb, copyNull, endJsonb, writeColumn, writeJsonb } from './column';
import { addPending, Extras } from './extras';
import { Level } from './level';
import { writeMember } from './json';
import { mostBytesOf } from './measure';
import { Region } from './memory';
import { Column, Name, Names } from './names';
import { writeJsonString } from './text';

/** So many documents are expected to be like one that was out of order. */
const unorderedDocuments: i32 = 64;
/** Far more than rows need, and a part of what there may be. */
const largestRoom: u64 = 1 << 28;

@unmanaged
export class Table {
  level: Level;
  /** One after the other, in the plan's order. */
  columns: usize;
  columnCount: i32;
  /** Of a row, with those before the columns and the extra column. */
  fieldCount: i32;
  hasExtra: bool;
  /** The extra column has the whole document. */
  keepsWhole: bool;
  /** Columns have values inside of fields, which come in no order. */
  hasNested: bool;
  style: i32;
  maxJsonBytes: i32;
  /** How often a value may be written: into the extra column, and into those of fields around it. */
  copies: i32;
  /** The number of the current document. */
  document: u32;
  /** How many documents more are expected to be out of order. */
  unordered: i32;
  /** That of the next column to be written. */
  place: i32;
  output: Region;

  columnAt(place: i32): Column {
    return changetype<Column>(this.columns + place * offsetof<Column>());
  }

  /** The most bytes of the row of a document or another element. 0 if it is to be refused: it is malformed, or too large. */
  roomFor(type: u32, start: usize, end: usize): usize {
    const most = mostBytesOf(type, start, end);
    return most > largestRoom / this.copies ? 0 : (most as usize) * this.copies + this.fieldCount * 8;
  }
}

/** Where the last `_id` was written. */
export let idStart: usize = 0;
export let idEnd: usize = 0;

/** Writes the columns of the document from `start` to before `end`. */
export function writeColumns(out: usize, table: Table, start: usize, end: usize): usize {
  if (table.unordered === 0 && !table.hasNested) {
    openDocument(table);
    let written = walk(out, table, table.level, start, end, true);
    if (written > unordered) written = writeNulls(written, table, table.place, table.columnCount);
    if (written !== unordered) return written;
    table.unordered = unorderedDocuments;
  } else if (table.unordered > 0) {
    table.unordered--;
  }
  openDocument(table);
  if (walk(out, table, table.level, start, end, false) === refused) return refused;
  for (let place = 0; place < table.columnCount; place++) {
    const column = table.columnAt(place);
    out = column.document === table.document ? writeFound(out, table, column) : writeNull(out, column);
    if (out === refused) return refused;
  }
  return out;
}

function openDocument(table: Table): void {
  table.document++;
  table.place = 0;
}

/** @param writes whether columns are written as they come, or only found */
function walk(out: usize, table: Table, level: Level, start: usize, end: usize, writes: bool): usize {
  const names = level.names;
  const document = table.document;
  const terminator = end - 1;
  let place = table.place;
  // The document of a row is not needed.
  let hasTrace = level === table.level;
  level.begin(document);
  let previous = names.head;
  for (let at = start + 4; at !== terminator;) {
    const type: u32 = load<u8>(at);
    const nameStart = at + 1;
    let name = previous.next;
    if (name === null || !name.isAt(nameStart, terminator)) {
      name = names.find(nameStart, terminator);
      if (name === null) return refused;
      previous.next = name;
    }
    previous = name;
    const nameEnd = nameStart + name.size - 1;
    at = bson.endOfValue(type, nameEnd + 1, terminator);
    // jsonb would keep one of two fields of the same name, and say nothing.
    if (at === 0 || name.document === document) return refused;
    name.document = document;
    const nested = name.nested;
    if (nested !== null && type === bson.typeObject && !findNested(nested, document, nameEnd + 1, at)) {
      return refused;
    }
    const column = name.column;
    const inner = type === bson.typeObject ? name.level : null;
    if (inner !== null) {
      inner.nameStart = nameStart;
      inner.nameEnd = nameEnd;
      table.place = place;
      out = walk(out, table, inner, nameEnd + 1, at, writes);
      if (out === refused || out === unordered) return out;
      place = table.place;
      hasTrace = true;
      // No column would distinguish it from a missing one.
      if (inner.hasTrace) continue;
      if (!level.extras.add(name, type, codes.reasonEmpty, nameStart, nameEnd, at)) return refused;
      continue;
    }
    if (column === null) {
      if (type === bson.typeNull && name.level !== null) continue;
      if (table.keepsWhole && !name.isDropped) continue;
      const reason = reasonOf(name);
      if (!level.extras.add(name, type, reason, nameStart, nameEnd, at)) return refused;
      if (reason !== codes.reasonDropped) hasTrace = true;
      continue;
    }
    column.find(document, type, nameStart, nameEnd, at);
    if (!hasTrace) hasTrace = leavesTrace(column);
    if (!writes || column.kind === codes.kindArray) continue;
    if (column.place < place) return unordered;
    out = writeNulls(out, table, place, column.place);
    // One that must have a value may come later.
    if (out === refused) return unordered;
    out = writeFound(out, table, column);
    if (out === refused) return refused;
    place = column.place + 1;
  }
  level.hasTrace = hasTrace;
  table.place = place;
  return out;
}

/** Why a field without a column is not in one. Where documents are flattened, other values do not fit. */
function reasonOf(name: Name): i32 {
  if (name.isDropped) return codes.reasonDropped;
  return name.level === null ? codes.reasonNoColumn : codes.reasonMisfit;
}

function leavesTrace(column: Column): bool {
  if (column.type === bson.typeNull) return false;
  return !(column.losesEmpty && column.isEmptyArray);
}

/** Finds the columns inside of a document. False if it is malformed, or has a field twice. */
function findNested(names: Names, document: u32, start: usize, end: usize): bool {
  const terminator = end - 1;
  for (let at = start + 4; at !== terminator;) {
    const type: u32 = load<u8>(at);
    const nameStart = at + 1;
    const nameEnd = bson.findNul(nameStart, terminator);
    if (nameEnd === terminator) return false;
    at = bson.endOfValue(type, nameEnd + 1, terminator);
    if (at === 0) return false;
    const name = names.find(nameStart, terminator);
    if (name === null) continue;
    if (name.document === document) return false;
    name.document = document;
    const column = name.column;
    if (column !== null) column.find(document, type, nameStart, nameEnd, at);
    const nested = name.nested;
    if (nested === null || type !== bson.typeObject) continue;
    if (!findNested(nested, document, nameEnd + 1, at)) return false;
  }
  return true;
}

function writeNull(out: usize, column: Column): usize {
  return column.mayBeNull ? writeInt32(out, copyNull) : refused;
}

function writeNulls(out: usize, table: Table, from: i32, to: i32): usize {
  for (let place = from; place < to; place++) {
    out = writeNull(out, table.columnAt(place));
    if (out === refused) return refused;
  }
  return out;
}

/** Writes the value that the column was set to. */
function writeFound(out: usize, table: Table, column: Column): usize {
  if (column.type === bson.typeNull && !column.isId) return writeNull(out, column);
  const end = writeColumn(out, column);
  if (column.isId) {
    idStart = out;
    idEnd = end;
  }
  if (end !== misfit) return end;
  return addMisfit(table, column, codes.reasonMisfit) ? writeInt32(out, copyNull) : refused;
}

/** Sends what does not fit to the extra column. False if it is to be refused. */
export function addMisfit(table: Table, column: Column, reason: i32): bool {
  if (!table.hasExtra || !column.mayMove) return false;
  return column.level.misfits.add(
    column.name,
    column.type,
    reason,
    column.nameStart,
    column.nameEnd,
    column.end,
  );
}

/** Writes what is left of the document, and counts it. */
export function writeExtra(out: usize, table: Table, start: usize, end: usize): usize {
  const level = table.level;
  const style = table.style;
  const maxJsonBytes = table.maxJsonBytes;
  if (!countLater(level)) return refused;
  const isLeft = level.isLeft;
  if (!table.hasExtra) return isLeft ? refused : out;
  if (table.keepsWhole) {
    // Without its dropped fields it is another one, which is rare.
    if (level.extras.dropped > 0) return refused;
    return writeJsonb(out, bson.typeObject, start, end, style, maxJsonBytes);
  }
  if (!isLeft) return writeInt32(out, copyNull);
  return endJsonb(out, writeLevel(beginJsonb(out), level, style), maxJsonBytes);
}

/** False when there is too much. */
function countLater(level: Level): bool {
  if (!addPending(level.extras) || !addPending(level.misfits)) return false;
  let inner = level.inner;
  while (inner !== null) {
    if (level.has(inner) && !countLater(inner)) return false;
    inner = inner.next;
  }
  return true;
}

/** Writes what is left of a document; what is left of levels inside comes last, each as an object. */
function writeLevel(out: usize, level: Level, style: i32): usize {
  const extras = level.extras;
  out = writeMembers(out, extras, style, true);
  if (out === refused) return refused;
  out = writeMembers(out, level.misfits, style, extras.length === extras.dropped);
  if (out === refused) return refused;
  let isFirst = level.leftHere === 0;
  let inner = level.inner;
  while (inner !== null) {
    if (level.has(inner) && inner.isLeft) {
      store<u8>(out, isFirst ? 0x7b : 0x2c);
      isFirst = false;
      out = writeJsonString(out + 1, inner.nameStart, inner.nameEnd);
      if (out === refused) return refused;
      store<u8>(out, 0x3a);
      out = writeLevel(out + 1, inner, style);
      if (out === refused) return refused;
    }
    inner = inner.next;
  }
  store<u8>(out, 0x7d);
  return out + 1;
}

function writeMembers(out: usize, extras: Extras, style: i32, isFirst: bool): usize {
  for (let i = 0; i < extras.length; i++) {
    const extra = extras.at(i);
    if (extra.reason === codes.reasonDropped) continue;
    store<u8>(out, isFirst ? 0x7b : 0x2c);
    isFirst = false;
    // As if it were not inside of anything.
    out = writeMember(out + 1, extra.nameStart, extra.nameEnd, extra.type, extra.end, style, -1);
    if (out === refused) return refused;
  }
  return out;
}
