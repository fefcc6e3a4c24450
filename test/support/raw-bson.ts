/** Builds BSON byte by byte, including bytes that no serializer would write. */

import type { Plan } from '../../src/transcode/plan.ts';
import type { ColumnType } from '../../src/transcode/column-types/names.ts';

/** An element: its type byte, its name, its value's bytes. */
export type RawElement = readonly [type: number, name: string | Buffer, value: Buffer];

export function rawDocument(elements: readonly RawElement[]): Buffer {
  const parts = elements.flatMap(([type, name, value]) => [
    Buffer.of(type),
    Buffer.from(name),
    Buffer.of(0),
    value,
  ]);
  const content = Buffer.concat(parts);
  return Buffer.concat([int32(content.length + 5), content, Buffer.of(0)]);
}

/** The array with the documents of a find reply. */
export function rawArray(documents: readonly Uint8Array[]): Buffer {
  return rawDocument(documents.map((document, i) => [3, String(i), Buffer.from(document)]));
}

export function rawString(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([int32(bytes.length + 1), bytes, Buffer.of(0)]);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

export function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

export function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** A plan whose columns have the names of their fields. */
export function makePlan(columns: Readonly<Record<string, ColumnType>>): Plan {
  return {
    collection: 'things',
    schema: 'public',
    table: 'things',
    columns: Object.entries(columns).map(([field, type]) => ({ field, column: field, type })),
    extraColumn: '_extra',
  };
}
