/**
 * Writes the rows of a child table: one for each element of the array that a document, or an element of another table, has in the
 * table's field.
 */

import * as bson from './bson';
import * as codes from '../codes';
import { misfit, refused } from './outcome';
import { copyBytes, writeInt16, writeInt32 } from './bytes';
import { copyNull, writeColumn, writeJsonb } from './column';
import { addPending } from './extras';
import { allocate, createRegion, Region, reserve } from './memory';
import { Column } from './names';
import { addMisfit, idEnd, idStart, Table, writeColumns, writeExtra } from './row';

@unmanaged
export class Child {
  /** Where the document has the array. */
  array: Column;
  table: Table;
  /** Of each row the number of its document in the batch. */
  parents: Region;
  /** How many elements the array is inside of. */
  depth: i32;
  /** Of arrays inside the elements. */
  inner: Children;
  /** The next of the same document or element. */
  nextBeside: Child | null;
  /** The next of all. */
  next: Child | null;
  /** How much was written of earlier documents; not where that ends, as regions move. */
  rowBytes: usize;
  parentBytes: usize;

  /** To be called before each document. */
  begin(): void {
    this.rowBytes = this.table.output.length;
    this.parentBytes = this.parents.length;
  }

  /** Takes back the rows of the current document. */
  forget(): void {
    this.table.output.length = this.rowBytes;
    this.parents.length = this.parentBytes;
  }

  /** What is no array where one is expected, and an empty one if the plan says so. False if the document is refused. */
  sendOtherToExtra(table: Table): bool {
    const array = this.array;
    if (array.document !== table.document || array.type === bson.typeNull) return true;
    const isArray = array.type === bson.typeArray;
    if (isArray && !(array.keepsEmpty && array.isEmptyArray)) return true;
    return addMisfit(table, array, isArray ? codes.reasonEmpty : codes.reasonMisfit);
  }

  /**
   * False if the document is refused; `forget` then removes the elements before.
   *
   * @param document its number in the table around
   * @param parent its number in the batch
   */
  writeElements(document: u32, parent: u32, maxRowBytes: usize): bool {
    if (this.array.document !== document || this.array.type !== bson.typeArray) return true;
    const terminator = this.array.end - 1;
    let index = 0;
    for (let at = this.array.start + 4; at !== terminator; index++) {
      const type: u32 = load<u8>(at);
      const nameEnd = bson.findNul(at + 1, terminator);
      if (nameEnd === terminator) return false;
      at = bson.endOfValue(type, nameEnd + 1, terminator);
      if (at === 0) return false;
      setPlace(this.depth, index);
      if (!this.writeElement(type, nameEnd + 1, at, maxRowBytes)) return false;
      if (!reserve(this.parents, 4)) return false;
      store<u32>(this.parents.position, parent);
      this.parents.position += 4;
      if (type !== bson.typeObject) continue;
      if (!this.inner.writeRows(this.table.document, parent, maxRowBytes)) return false;
    }
    return true;
  }

  writeElement(type: u32, start: usize, end: usize, maxRowBytes: usize): bool {
    const table = this.table;
    const output = table.output;
    const idBytes = idEnd - idStart;
    const room = idBytes + table.roomFor(type, start, end);
    if (room === idBytes || !reserve(output, room)) return false;
    const rowStart = output.position;
    let out = writeInt16(rowStart, table.fieldCount);
    out = writePlaces(copyBytes(out, idStart, idBytes), this.depth);
    if (type === bson.typeObject) {
      out = writeColumns(out, table, start, end);
      if (out !== refused && !this.inner.sendOthersToExtra(table)) return false;
      if (out !== refused) out = writeExtra(out, table, start, end);
    } else {
      out = writeBare(out, table, type, start, end);
    }
    if (out === refused || out - rowStart > maxRowBytes) return false;
    output.keep(out, room);
    return true;
  }
}

/** An element that has no fields goes to the column for such, or is kept as it is. */
function writeBare(out: usize, table: Table, type: u32, start: usize, end: usize): usize {
  let isKept = false;
  const misfits = table.level.misfits;
  misfits.clear();
  for (let place = 0; place < table.columnCount; place++) {
    const column = table.columnAt(place);
    if (column.isElement && type !== bson.typeNull) {
      column.type = type;
      column.nameEnd = start - 1;
      column.end = end;
      const written = writeColumn(out, column);
      if (written === refused) return refused;
      if (written !== misfit) {
        out = written;
        isKept = true;
        continue;
      }
      if (!misfits.add(column.name, type, codes.reasonMisfit, start, start, end)) return refused;
    }
    if (!column.mayBeNull) return refused;
    out = writeInt32(out, copyNull);
  }
  if (!table.hasExtra) return isKept || type === bson.typeNull ? out : refused;
  if (isKept) return writeInt32(out, copyNull);
  if (!addPending(misfits)) return refused;
  return writeJsonb(out, type, start, end, table.style, table.maxJsonBytes);
}

/** The child tables of a document, or of an element of one. */
@unmanaged
export class Children {
  first: Child | null;

  add(child: Child): void {
    let last = this.first;
    if (last === null) {
      this.first = child;
      return;
    }
    while (last.nextBeside !== null) last = last.nextBeside as Child;
    last.nextBeside = child;
  }

  /** What is no array where one is expected. False if the document is refused. */
  sendOthersToExtra(table: Table): bool {
    let child = this.first;
    while (child !== null) {
      if (!child.sendOtherToExtra(table)) return false;
      child = child.nextBeside;
    }
    return true;
  }

  /** The elements of all arrays; see `Child.writeElements`. */
  writeRows(document: u32, parent: u32, maxRowBytes: usize): bool {
    let child = this.first;
    while (child !== null) {
      if (!child.writeElements(document, parent, maxRowBytes)) return false;
      child = child.nextBeside;
    }
    return true;
  }
}

/** As deep as arrays with tables can be inside each other. */
const maxDepth: i32 = 32;
/** Where in its array each of the current elements is, the outermost first. */
const places: usize = memory.data(maxDepth * sizeof<i32>());

function setPlace(depth: i32, place: i32): void {
  store<i32>(places + depth * sizeof<i32>(), place);
}

function writePlaces(out: usize, depth: i32): usize {
  for (let at = 0; at <= depth; at++) {
    out = writeInt32(writeInt32(out, 4), load<i32>(places + at * sizeof<i32>()));
  }
  return out;
}

const outermostAt: usize = memory.data(offsetof<Children>());
/** Of the documents themselves. */
export const outermost: Children = changetype<Children>(outermostAt);
/** Of all child tables. */
let first: Child | null = null;

/** To be called before each document. */
export function beginAll(): void {
  let child = first;
  while (child !== null) {
    child.begin();
    child = child.next;
  }
}

/** Takes back the rows of the current document. */
export function forgetAll(): void {
  let child = first;
  while (child !== null) {
    child.forget();
    child = child.next;
  }
}

/** @param around the table of the elements that have the array; null for documents. Null when there is no place left */
export function createChild(array: Column, table: Table, around: Child | null): Child | null {
  const at = allocate(offsetof<Child>());
  const inner = allocate(offsetof<Children>());
  const parents = createRegion();
  const depth = around === null ? 0 : around.depth + 1;
  if (at === 0 || inner === 0 || parents === null || depth === maxDepth) return null;
  const child = changetype<Child>(at);
  child.array = array;
  child.table = table;
  child.parents = parents;
  child.depth = depth;
  child.inner = changetype<Children>(inner);
  child.next = first;
  first = child;
  const beside = around === null ? outermost : around.inner;
  beside.add(child);
  return child;
}
