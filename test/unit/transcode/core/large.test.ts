import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { jsonStyles } from '../../../../src/bson/json/json-style.ts';
import type { Plan } from '../../../../src/transcode/plan.ts';
import { double, int32, makePlan, rawArray, rawDocument, rawString } from '../../../support/raw-bson.ts';
import { compared, TwinEncoder } from '../../../support/twin-encoder.ts';

const plan = makePlan({ _id: 'int32', text: 'string', values: 'json' });

/** What makes a document larger than those whose growth is assumed. */
const large = 300 * 1024;

function repeat(text: string): Buffer {
  return rawString(text.repeat(Math.ceil(large / text.length)));
}

/** An array of the same elements. */
function arrayOf(type: number, bytes: Buffer, count = Math.ceil(large / (bytes.length + 3))): Buffer {
  const element = Buffer.concat([Buffer.of(type), Buffer.from('0\0'), bytes]);
  const elements = Buffer.alloc(count * element.length, element);
  return Buffer.concat([int32(elements.length + 5), elements, Buffer.of(0)]);
}

function document(...fields: readonly (readonly [number, string, Buffer])[]): Buffer {
  return rawDocument([[bsonTypes.int, '_id', int32(1)], ...fields]);
}

function encode(documents: readonly Buffer[], of: Plan = plan): number {
  const before = compared.byCore;
  new TwinEncoder(of).encodeBatch(rawArray([...documents]));
  return compared.byCore - before;
}

describe('large documents in the core', () => {
  it('are encoded there, whatever they have and however much longer it becomes', () => {
    const regex = Buffer.from('\0\0');
    const decimal = Buffer.from('ffffffffffffffff000000000000ffb0', 'hex');
    decimal.writeBigUInt64LE((1n << 63n) | (BigInt(6176 - 6) << 49n), 8);
    const values = [
      [bsonTypes.string, repeat('text')],
      [bsonTypes.string, repeat('\u0001')],
      [bsonTypes.string, repeat('"\\\n')],
      [bsonTypes.javascript, repeat('é🦊')],
      [bsonTypes.binData, Buffer.concat([int32(large), Buffer.of(0), Buffer.alloc(large, 7)])],
      [bsonTypes.array, arrayOf(bsonTypes.regex, regex)],
      [bsonTypes.array, arrayOf(bsonTypes.double, double(-2.2250738585072014e-308))],
      [bsonTypes.array, arrayOf(bsonTypes.double, double(-1.2345678901234567e-100))],
      [bsonTypes.array, arrayOf(bsonTypes.int, int32(-2_147_483_648))],
      [bsonTypes.array, arrayOf(bsonTypes.date, Buffer.alloc(8, 0x81))],
      [bsonTypes.array, arrayOf(bsonTypes.timestamp, Buffer.alloc(8, 0xff))],
      [bsonTypes.array, arrayOf(bsonTypes.decimal, decimal)],
      [bsonTypes.array, arrayOf(bsonTypes.dbPointer, Buffer.concat([rawString(''), Buffer.alloc(12)]))],
      [bsonTypes.array, arrayOf(bsonTypes.null, Buffer.alloc(0))],
      [bsonTypes.array, arrayOf(bsonTypes.minKey, Buffer.alloc(0))],
      [bsonTypes.array, arrayOf(bsonTypes.bool, Buffer.of(0))],
      [bsonTypes.array, arrayOf(bsonTypes.objectId, Buffer.alloc(12, 0xfe))],
      [bsonTypes.array, arrayOf(bsonTypes.object, rawDocument([]))],
      [bsonTypes.object, rawDocument([[bsonTypes.int, '\u0002'.repeat(large), int32(1)]])],
    ] as const;
    const documents = values.map(([type, bytes]) =>
      document([bsonTypes.string, 'text', rawString('a')], [type, 'values', bytes]),
    );
    const text = document([bsonTypes.string, 'text', repeat('text é')]);
    for (const jsonStyle of jsonStyles) {
      assert.equal(encode([text, ...documents], { ...plan, jsonStyle }), documents.length + 1);
    }
  });

  it('also where their elements have a table, and are large', () => {
    const lines = { ...makePlan({ _id: 'int32', place: 'int32', text: 'string' }), table: 'lines' };
    const parent = { ...makePlan({ _id: 'int32' }), children: [{ field: 'lines', plan: lines }] };
    const line = rawDocument([
      [bsonTypes.string, 'text', rawString('a')],
      [bsonTypes.int, 'other', int32(1)],
    ]);
    const wide = rawDocument([[bsonTypes.string, 'text', repeat('"')]]);
    const many = arrayOf(bsonTypes.object, line);
    const documents = [many, arrayOf(bsonTypes.object, wide, 3), arrayOf(bsonTypes.string, repeat('\n'), 2)];
    const first = rawDocument([[bsonTypes.object, '0', line]]);
    // The first has a name that the core has not met.
    const all = [first, ...documents].map((bytes) => document([bsonTypes.array, 'lines', bytes]));
    assert.equal(encode(all, parent), documents.length);
  });

  it('are left to the encoder in TypeScript where they are corrupt, or nested deeply', () => {
    const corrupt = arrayOf(bsonTypes.bool, Buffer.of(1));
    corrupt[corrupt.length - 2] = 2;
    let deep = rawDocument([[bsonTypes.string, 'a', repeat('a')]]);
    for (let depth = 0; depth < 70; depth++) deep = rawDocument([[bsonTypes.object, 'a', deep]]);
    const documents = [
      document([bsonTypes.array, 'values', corrupt]),
      document([bsonTypes.object, 'values', deep]),
      document([bsonTypes.string, 'values', repeat('a\0')]),
    ];
    assert.equal(encode(documents), 0);
  });
});
