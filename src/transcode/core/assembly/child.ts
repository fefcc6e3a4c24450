/** Writes the rows of a child table: one for each element of the array that a document has in the table's field. */

import * as bson from './bson';
import * as codes from '../codes';
import { misfit, refused } from './outcome';
import { copyBytes, writeInt16, writeInt32 } from './bytes';
import { copyNull, writeColumn, writeJsonb } from './column';
import { addPending } from './extras';
import { allocate, createRegion, Region, reserve } from './memory';
import { Column } from './names';
import { idEnd, idStart, Table, writeColumns, writeExtra } from './row';

@unmanaged
export class Child {
  /** Where the document has the array. */
  array: Column;
  table: Table;
  /** Of each row the number of its document in the batch. */
  parents: Region;
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

  /** False if the document is refused; `forget` then removes the elements before. */
  writeElements(parent: u32, maxRowBytes: usize): bool {
    const terminator = this.array.end - 1;
    let index = 0;
    for (let at = this.array.start + 4; at !== terminator; index++) {
      const type: u32 = load<u8>(at);
      const nameEnd = bson.findNul(at + 1, terminator);
      if (nameEnd === terminator) return false;
      at = bson.endOfValue(type, nameEnd + 1, terminator);
      if (at === 0) return false;
      if (!this.writeElement(index, type, nameEnd + 1, at, maxRowBytes)) return false;
      if (!reserve(this.parents, 4)) return false;
      store<u32>(this.parents.position, parent);
      this.parents.position += 4;
    }
    return true;
  }

  writeElement(index: i32, type: u32, start: usize, end: usize, maxRowBytes: usize): bool {
    const table = this.table;
    const output = table.output;
    const idBytes = idEnd - idStart;
    if (!reserve(output, idBytes + table.roomFor(end - start))) return false;
    const rowStart = output.position;
    let out = writeInt16(rowStart, table.fieldCount);
    out = writeInt32(writeInt32(copyBytes(out, idStart, idBytes), 4), index);
    if (type === bson.typeObject) {
      out = writeColumns(out, table, start, end);
      if (out !== refused) out = writeExtra(out, table, start, end);
    } else {
      out = writeBare(out, table, type, start, end);
    }
    if (out === refused || out - rowStart > maxRowBytes) return false;
    output.position = out;
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

const maxChildren: i32 = 16;
const children: usize = memory.data(maxChildren * sizeof<usize>());
let childCount: i32 = 0;

export function countChildren(): i32 {
  return childCount;
}

export function childAt(index: i32): Child {
  return changetype<Child>(load<usize>(children + index * sizeof<usize>()));
}

/** Null when they are too many, or there is no place left. */
export function createChild(array: Column, table: Table): Child | null {
  const at = allocate(offsetof<Child>());
  const parents = createRegion();
  if (at === 0 || parents === null || childCount === maxChildren) return null;
  const child = changetype<Child>(at);
  child.array = array;
  child.table = table;
  child.parents = parents;
  store<usize>(children + childCount++ * sizeof<usize>(), at);
  return child;
}
