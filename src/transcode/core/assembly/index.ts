/** What the host calls. Tables, columns and names are numbers to it. */

import * as codes from '../codes';
import { Child, createChild } from './child';
import { countAt, countsLength } from './extras';
import { addInner, createLevel, Level } from './level';
import { allocate, createRegion, Region, reserve } from './memory';
import { addName, Column, createName, createNames, Name, Names } from './names';
import { Table } from './row';

export { checkBatch, documentEnd, documentStart, openBatch, ordinal, run, skipDocument } from './batch';

export function addTable(
  names: Names,
  columnCount: i32,
  fieldCount: i32,
  traits: i32,
  style: i32,
  maxJsonBytes: i32,
  copies: i32,
): Table | null {
  const at = allocate(offsetof<Table>());
  const columns = allocate(columnCount * offsetof<Column>());
  const level = createLevel(names);
  const output = createRegion();
  if (at === 0 || columns === 0 || level === null || output === null) return null;
  const table = changetype<Table>(at);
  table.level = level;
  table.columns = columns;
  table.columnCount = columnCount;
  table.fieldCount = fieldCount;
  table.hasExtra = (traits & codes.tableHasExtra) !== 0;
  table.keepsWhole = (traits & codes.tableKeepsWhole) !== 0;
  table.style = style;
  table.maxJsonBytes = maxJsonBytes;
  table.copies = copies;
  table.output = output;
  return table;
}

export function setColumn(
  table: Table,
  place: i32,
  level: Level,
  name: Name,
  kind: i32,
  traits: i32,
  subtype: u32,
  style: i32,
): void {
  const column = table.columnAt(place);
  column.place = place;
  column.maxJsonBytes = table.maxJsonBytes;
  if ((traits & codes.columnIsNested) !== 0) table.hasNested = true;
  describe(column, level, name, kind, traits, subtype, style);
}

/** See `Column`. */
export function limitColumn(table: Table, place: i32, limit: i32, scale: i32): void {
  const column = table.columnAt(place);
  column.limit = limit;
  column.scale = scale;
}

/** The column takes only these, as an enum does. */
export function labelColumn(table: Table, place: i32, labels: Names): void {
  table.columnAt(place).labels = labels;
}

/** The column has arrays of its kind. */
export function makeArray(table: Table, place: i32, elementOid: u32): void {
  const column = table.columnAt(place);
  column.elementKind = column.kind;
  column.elementOid = elementOid;
  column.kind = codes.kindValues;
}

function describe(
  column: Column,
  level: Level,
  name: Name,
  kind: i32,
  traits: i32,
  subtype: u32,
  style: i32,
): void {
  column.level = level;
  column.name = name;
  column.kind = kind;
  column.traits = traits;
  column.subtype = subtype;
  column.style = style;
  if (!column.isElement) name.column = column;
}

/** @param around the child table of the elements that have the array; null for documents */
export function addChild(
  level: Level,
  name: Name,
  traits: i32,
  table: Table,
  around: Child | null,
): Child | null {
  const at = allocate(offsetof<Column>());
  if (at === 0) return null;
  const array = changetype<Column>(at);
  describe(array, level, name, codes.kindArray, traits, 0, 0);
  return createChild(array, table, around);
}

export function addNames(capacity: u32, seed: u32): Names | null {
  return createNames(capacity, seed);
}

/** To be followed by `nameBytes`, where its bytes go with the NUL that ends them, and by `placeName`. */
export function makeName(size: usize): Name | null {
  return createName(size);
}

export function nameBytes(name: Name): usize {
  return name.bytes;
}

export function placeName(names: Names, name: Name): void {
  addName(names, name);
}

export function dropName(name: Name): void {
  name.isDropped = true;
}

export function nestNames(name: Name, nested: Names): void {
  name.nested = nested;
}

/** Of the documents that have rows in the table. */
export function levelOf(table: Table): Level {
  return table.level;
}

/** Documents in the field are taken apart. */
export function addLevel(around: Level, name: Name, names: Names): Level | null {
  return addInner(around, name, names);
}

export function outputOf(table: Table): Region {
  return table.output;
}

export function parentsOf(child: Child): Region {
  return child.parents;
}

export function startOf(region: Region): usize {
  return region.start;
}

export function endOf(region: Region): usize {
  return region.position;
}

/** Makes room for bytes from outside. @returns where they go; 0 when there is no memory */
export function extend(region: Region, size: usize): usize {
  if (!reserve(region, size)) return 0;
  const at = region.position;
  region.position += size;
  return at;
}

export function countCounts(): i32 {
  return countsLength();
}

export function countName(index: i32): Name {
  return countAt(index).name;
}

export function countType(index: i32): u32 {
  return countAt(index).type;
}

export function countReason(index: i32): i32 {
  return countAt(index).reason;
}

/** How often it was so since the last time. */
export function takeCount(index: i32): u32 {
  const count = countAt(index);
  const taken = count.count;
  count.count = 0;
  return taken;
}
