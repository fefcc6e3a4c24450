/** Builds BSON from values that are bytes already, because JavaScript objects cannot represent all of them. */

import { bsonTypes } from './types.ts';

/** A value: its type, and its bytes as in a document. https://bsonspec.org/spec.html */
export interface BsonValue {
  readonly type: number;
  readonly bytes: Uint8Array;
}

export type BsonField = readonly [name: string, value: BsonValue];

/** A document with the fields in this order; names may be integers, or occur twice. */
export function buildDocument(...fields: readonly BsonField[]): Buffer {
  const parts: Uint8Array[] = [];
  let length = 5;
  for (const [name, { type, bytes }] of fields) {
    const head = Buffer.from(`\0${name}\0`);
    head[0] = type;
    parts.push(head, bytes);
    length += head.byteLength + bytes.byteLength;
  }
  const document = Buffer.alloc(length);
  let offset = document.writeInt32LE(length);
  for (const part of parts) {
    document.set(part, offset);
    offset += part.byteLength;
  }
  return document;
}

/** An object of these fields. */
export function objectOf(...fields: readonly BsonField[]): BsonValue {
  return asObject(buildDocument(...fields));
}

/** @param bytes a document */
export function asObject(bytes: Uint8Array): BsonValue {
  return { type: bsonTypes.object, bytes };
}

export function arrayOf(values: readonly BsonValue[]): BsonValue {
  const bytes = buildDocument(...values.map((value, index): BsonField => [String(index), value]));
  return { type: bsonTypes.array, bytes };
}

/** A string. */
export function textOf(value: string): BsonValue {
  const text = Buffer.from(value);
  const bytes = Buffer.alloc(text.byteLength + 5);
  bytes.writeInt32LE(text.byteLength + 1);
  bytes.set(text, 4);
  return { type: bsonTypes.string, bytes };
}

export function doubleOf(value: number): BsonValue {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return { type: bsonTypes.double, bytes };
}
