/** Writes the result of a transform as BSON. A value that BSON does not have is an error, and never silently omitted. */

import { Double, ObjectId, serialize } from 'bson';
import type { BsonWriter } from '../../bson/bson-writer.ts';
import { ElementCursor } from '../../bson/cursor.ts';
import { maxNesting } from '../../bson/raw-value.ts';
import { bsonTypes } from '../../bson/types.ts';
import { KeptValue } from './kept-value.ts';

/** The error is at `path` in the document. */
export class ResultError extends Error {}

/** The maximum size of a document in MongoDB, with some room for internal fields: BSONObjMaxInternalSize. */
const maxDocumentBytes = 16 * 1024 * 1024 + 16 * 1024;

/** Whether it is an object that can be a document: not an array, a Date, or a value of js-bson. */
export function isDocument(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  return bsonTypeOf(value) === undefined && isPlain(value);
}

/**
 * As an element of an array of documents.
 * @throws ResultError that names the field
 */
export function writeListed(document: Readonly<Record<string, unknown>>, writer: BsonWriter): void {
  const before = writer.position;
  try {
    const start = writer.beginListed();
    writeFields(document, writer, [], maxNesting);
    writer.endDocument(start);
    if (writer.position - start > maxDocumentBytes) {
      throw new ResultError('the document exceeds the 16 MB limit of MongoDB');
    }
  } catch (error) {
    writer.position = before;
    throw error;
  }
}

/** The path of the current value, for errors. */
type Path = (string | number)[];

function writeFields(document: object, writer: BsonWriter, path: Path, nesting: number): void {
  if (nesting < 0) {
    throw new ResultError(`${show(path)} has more than ${maxNesting} levels, or contains itself`);
  }
  const fields = document as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined) continue;
    path.push(name);
    if (name.includes('\0')) throw new ResultError(`${show(path)} has U+0000 in its name`);
    writeElement(name, value, writer, path, nesting);
    path.pop();
  }
}

function writeElement(name: string, value: unknown, writer: BsonWriter, path: Path, nesting: number): void {
  switch (typeof value) {
    case 'string':
      writer.beginElement(bsonTypes.string, name);
      writer.writeString(value);
      return;
    case 'number':
      writeNumber(name, value, writer);
      return;
    case 'boolean':
      writer.beginElement(bsonTypes.bool, name);
      writer.writeByte(value ? 1 : 0);
      return;
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) {
        throw new ResultError(`${show(path)} is out of range for an int64`);
      }
      writer.beginElement(bsonTypes.long, name);
      writer.writeInt64(value);
      return;
    case 'undefined':
      // undefined is an error only in an array, where omitting it would move the other elements.
      writer.beginElement(bsonTypes.undefined, name);
      return;
    case 'object':
      if (value === null) writer.beginElement(bsonTypes.null, name);
      else writeObject(name, value, writer, path, nesting);
      return;
    case 'function':
    case 'symbol':
      throw new ResultError(`${show(path)} is a ${typeof value}, which BSON does not have`);
  }
}

function writeNumber(name: string, value: number, writer: BsonWriter): void {
  if ((value | 0) === value && !Object.is(value, -0)) {
    writer.beginElement(bsonTypes.int, name);
    writer.writeInt32(value);
  } else {
    writer.beginElement(bsonTypes.double, name);
    writer.writeDouble(value);
  }
}

function writeObject(name: string, value: object, writer: BsonWriter, path: Path, nesting: number): void {
  if (Array.isArray(value)) {
    writer.beginElement(bsonTypes.array, name);
    const start = writer.beginDocument();
    if (nesting < 1) {
      throw new ResultError(`${show(path)} has more than ${maxNesting} levels, or contains itself`);
    }
    for (const [index, element] of (value as unknown[]).entries()) {
      path.push(index);
      writeElement(String(index), element, writer, path, nesting - 1);
      path.pop();
    }
    writer.endDocument(start);
  } else if (value instanceof KeptValue) {
    writer.beginElement(value.type, name);
    writer.writeBytes(value.bytes);
  } else if (value instanceof Date) {
    const time = value.getTime();
    if (Number.isNaN(time)) throw new ResultError(`${show(path)} is an invalid Date`);
    writer.beginElement(bsonTypes.date, name);
    writer.writeInt64(BigInt(time));
  } else if (bsonTypeOf(value) !== undefined || value instanceof RegExp || value instanceof Uint8Array) {
    writeOfClass(name, value, writer, path);
  } else if (isPlain(value)) {
    writer.beginElement(bsonTypes.object, name);
    const start = writer.beginDocument();
    writeFields(value, writer, path, nesting - 1);
    writer.endDocument(start);
  } else {
    const kind = value.constructor.name;
    const hint = kind === 'Promise' ? '; a transform is not asynchronous' : '';
    throw new ResultError(`${show(path)} is a ${kind}, which BSON does not have${hint}`);
  }
}

/** js-bson writes its own classes; the most frequent are written directly. */
function writeOfClass(name: string, value: object, writer: BsonWriter, path: Path): void {
  if (value instanceof Double) {
    writer.beginElement(bsonTypes.double, name);
    writer.writeDouble(value.value);
    return;
  }
  if (value instanceof ObjectId) {
    writer.beginElement(bsonTypes.objectId, name);
    writer.writeBytes(value.id);
    return;
  }
  let bytes: Uint8Array;
  try {
    bytes = serialize({ v: value });
  } catch (error) {
    throw new ResultError(`${show(path)}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const cursor = new ElementCursor();
  cursor.open(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength);
  if (!cursor.next(null)) throw new ResultError(`${show(path)} is a value that BSON does not have`);
  writer.beginElement(cursor.type, name);
  writer.writeBytes(bytes.subarray(cursor.valueStart, cursor.valueEnd));
}

/** The name of js-bson's class, also for another copy of js-bson. */
function bsonTypeOf(value: object): string | undefined {
  // A document may have a field of that name.
  if (Object.hasOwn(value, '_bsontype') || !('_bsontype' in value)) return undefined;
  return String(value._bsontype);
}

/** A Set or a Map would be written as an empty document. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || isForeignPlain(prototype);
}

/** An object of another realm, such as one that a module made in a `vm`. */
function isForeignPlain(prototype: unknown): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf');
}

function show(path: Path): string {
  return path.length === 0 ? 'the document' : `the field ${JSON.stringify(path.join('.'))}`;
}
