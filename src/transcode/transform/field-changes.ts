/**
 * Changes fields in the bytes of documents before they are encoded, so that no column has the original values. Everything else is
 * copied unchanged.
 */

import { buildDocument, type BsonValue } from '../../bson/build.ts';
import type { BsonWriter } from '../../bson/bson-writer.ts';
import { ElementCursor, type BsonBytes } from '../../bson/cursor.ts';
import { bsonTypes } from '../../bson/types.ts';
import type { FieldChange } from '../plan.ts';
import { absentValue, createChange, isAbsent, type ChangeValue } from './change-value.ts';

/** A field that is changed, or contains changed fields. */
interface Field {
  readonly name: string;
  readonly nameBytes: Buffer;
  readonly changes: ChangeValue[];
  /** Its value if it is missing. */
  absent: BsonValue | null;
  /** For a document in it. */
  inside: Fields | null;
  /** For an array in it. */
  elements: Elements | null;
}

type Fields = Map<string, Field>;

interface Elements {
  /** For each element that is a document. */
  readonly fields: Fields;
  /** For each other element. */
  readonly changes: ChangeValue[];
}

/** The position of a value. */
interface Place {
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

export class FieldChanges {
  readonly #fields: Fields = new Map();

  constructor(changes: readonly FieldChange[]) {
    for (const { path, arrays = [], change } of changes) {
      let fields = this.#fields;
      let elements: Elements | null = null;
      for (const array of arrays) {
        elements = findField(fields, array).elements ??= { fields: new Map<string, Field>(), changes: [] };
        fields = elements.fields;
      }
      const absent = absentValue(change);
      const field = path.length === 0 ? null : findField(fields, path);
      if (field !== null) field.absent ??= absent;
      if (change.kind !== 'default') (field?.changes ?? elements?.changes)?.push(createChange(change));
    }
  }

  /** Writes the document at `start` as an element of an array. @throws BsonError */
  writeListed(source: BsonBytes, start: number, end: number, writer: BsonWriter): void {
    writer.writeByte(bsonTypes.object);
    writer.writeByte(0);
    writeDocument(source, { type: bsonTypes.object, start, end }, this.#fields, true, writer);
  }
}

function findField(fields: Fields, [name = '', ...inside]: readonly string[]): Field {
  let field = fields.get(name);
  if (field === undefined) {
    field = { name, nameBytes: Buffer.from(name), changes: [], absent: null, inside: null, elements: null };
    fields.set(name, field);
  }
  return inside.length === 0 ? field : findField((field.inside ??= new Map<string, Field>()), inside);
}

/** Compares bytes: most names are of other fields, and creating strings would be the largest cost. */
function findByBytes(fields: Fields, bytes: Buffer, start: number, end: number): Field | null {
  for (const field of fields.values()) {
    const { nameBytes } = field;
    if (nameBytes.length !== end - start) continue;
    let at = 0;
    while (at < nameBytes.length && nameBytes[at] === bytes[start + at]) at++;
    if (at === nameBytes.length) return field;
  }
  return null;
}

/** @param isFilled whether missing values are added */
function writeDocument(
  source: BsonBytes,
  { start, end }: Place,
  fields: Fields,
  isFilled: boolean,
  writer: BsonWriter,
): void {
  const { bytes, view } = source;
  const begun = writer.beginDocument();
  const cursor = new ElementCursor();
  cursor.open(view, start, end);
  const met = new Set<Field>();
  let copiedUntil = start + 4;
  while (cursor.next(null)) {
    const { type, nameStart, nameEnd, valueStart, valueEnd } = cursor;
    const field = findByBytes(fields, bytes, nameStart, nameEnd);
    if (field === null) continue;
    met.add(field);
    writer.writeRange(bytes, copiedUntil, nameStart - 1);
    writeField(source, { type, start: valueStart, end: valueEnd }, field, isFilled, writer);
    copiedUntil = valueEnd;
  }
  writer.writeRange(bytes, copiedUntil, cursor.valueEnd);
  for (const field of isFilled ? fields.values() : []) {
    const value = met.has(field) ? null : valueOfAbsent(field);
    if (value !== null) writeValue(field.name, value, writer);
  }
  writer.endDocument(begun);
}

/**
 * An array where the plan has a document, or the other way round, goes to the extra column: its values are changed too, but missing
 * ones are not added.
 */
function writeField(
  source: BsonBytes,
  place: Place,
  field: Field,
  isFilled: boolean,
  writer: BsonWriter,
): void {
  const { type } = place;
  const { name, changes, inside, elements } = field;
  if (changes.length === 0 && type === bsonTypes.object && (inside ?? elements) !== null) {
    writer.beginElement(type, name);
    const fields = inside ?? elements?.fields ?? new Map<string, Field>();
    writeDocument(source, place, fields, isFilled && inside !== null, writer);
  } else if (changes.length === 0 && type === bsonTypes.array && (inside ?? elements) !== null) {
    writer.beginElement(type, name);
    const all = elements ?? { fields: inside ?? new Map<string, Field>(), changes: [] };
    writeArray(source, place, all, isFilled && elements !== null, writer);
  } else {
    const value = changeValue(source, place, changes.length === 0 ? (elements?.changes ?? []) : changes);
    const isToFill = isFilled && isAbsent(value);
    const filled = isToFill ? valueOfAbsent(field) : null;
    writeValue(name, filled ?? value, writer);
  }
}

function writeArray(
  source: BsonBytes,
  { start, end }: Place,
  elements: Elements,
  isFilled: boolean,
  writer: BsonWriter,
): void {
  const { bytes, view } = source;
  const { fields, changes } = elements;
  const begun = writer.beginDocument();
  const cursor = new ElementCursor();
  cursor.open(view, start, end);
  while (cursor.next(null)) {
    const { type, nameStart, nameEnd, valueStart, valueEnd } = cursor;
    const place = { type, start: valueStart, end: valueEnd };
    if (type === bsonTypes.object && fields.size > 0) {
      writer.writeRange(bytes, nameStart - 1, valueStart);
      writeDocument(source, place, fields, isFilled, writer);
    } else if (type === bsonTypes.array) {
      writer.writeRange(bytes, nameStart - 1, valueStart);
      writeArray(source, place, elements, false, writer);
    } else {
      writeValue(bytes.toString('utf8', nameStart, nameEnd), changeValue(source, place, changes), writer);
    }
  }
  writer.endDocument(begun);
}

function changeValue(
  { bytes }: BsonBytes,
  { type, start, end }: Place,
  changes: readonly ChangeValue[],
): BsonValue {
  let value: BsonValue = { type, bytes: bytes.subarray(start, end) };
  for (const change of changes) value = change(value) ?? value;
  return value;
}

/** Creates a missing document if values must be added to it. */
function valueOfAbsent({ absent, inside }: Field): BsonValue | null {
  if (absent !== null || inside === null) return absent;
  const fields = [...inside.values()].flatMap((field) => {
    const value = valueOfAbsent(field);
    return value === null ? [] : [[field.name, value] as const];
  });
  return fields.length === 0 ? null : { type: bsonTypes.object, bytes: buildDocument(...fields) };
}

function writeValue(name: string, { type, bytes }: BsonValue, writer: BsonWriter): void {
  writer.beginElement(type, name);
  writer.writeBytes(bytes);
}
