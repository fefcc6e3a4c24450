import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Binary,
  Code,
  Decimal128,
  deserialize,
  Double,
  Int32,
  Long,
  ObjectId,
  serialize,
  Timestamp,
} from 'bson';
import { BsonError } from '../../../src/bson/types.ts';
import { createRowEncoder, type EncodedBatch } from '../../../src/transcode/row.ts';
import { decodeRows } from '../../support/copy-decoder.ts';
import { makePlan, rawArray } from '../../support/raw-bson.ts';

const plan = makePlan({
  _id: 'objectId',
  name: 'string',
  n: 'int32',
  at: 'date',
  ok: 'boolean',
  tree: 'json',
});
const id = new ObjectId('65f0c0ffee65f0c0ffee0001');
const documents = [
  serialize({
    _id: id,
    name: 'Zoë 🦊',
    n: new Int32(7),
    at: new Date(1e12),
    ok: true,
    tree: { a: [1, 'x', { b: null }] },
  }),
  serialize({
    _id: id,
    l: Long.fromNumber(5),
    d: new Double(1.5),
    s: 'abc',
    a: [[], {}],
    t: new Timestamp(7n),
  }),
  serialize({
    _id: id,
    b: new Binary(Buffer.from('abc')),
    o: new Binary(Buffer.from('abc'), 2),
    c: new Code('f', { x: 'y' }),
    dec: Decimal128.fromString('1.5'),
  }),
];

type Outcome = (Omit<EncodedBatch, 'copy'> & { rows: unknown }) | string;

/**
 * Encodes the array from the middle of a buffer filled with `filling`; anything but a row, a dead letter or a
 * BsonError fails the test.
 */
function encodeWithin(filling: string, array: Buffer, encoder: ReturnType<typeof createRowEncoder>): Outcome {
  const surroundings = Buffer.alloc(array.length + 200, filling, 'hex');
  array.copy(surroundings, 100);
  const before = Buffer.from(surroundings);
  let outcome: Outcome;
  try {
    const { copy, ...rest } = encoder.encodeBatch(surroundings.subarray(100, 100 + array.length));
    assert.equal(rest.documentCount, rest.rowCount + rest.deadLetters.length);
    outcome = { ...rest, rows: decodeRows(copy, plan) };
  } catch (error) {
    assert.ok(error instanceof BsonError, String(error));
    outcome = error.message;
  }
  assert.ok(surroundings.equals(before), 'the input is only read');
  return outcome;
}

const encoders = [createRowEncoder(plan), createRowEncoder(plan)] as const;

/** What surrounds a document must not matter: zeros would end a string that runs over, and 0x02 would not. */
function encodeAnywhere(array: Buffer): Outcome {
  const outcome = encodeWithin('00', array, encoders[0]);
  assert.deepEqual(encodeWithin('02', array, encoders[1]), outcome);
  return outcome;
}

describe('a corrupt document', () => {
  it('is a row before it is corrupted', () => {
    const outcome = encodeAnywhere(rawArray(documents));
    assert.ok(typeof outcome !== 'string');
    assert.equal(outcome.rowCount, documents.length);
  });

  it('fails the batch if it is truncated and its end is unknown', () => {
    for (const document of documents) {
      for (let length = 0; length < document.length; length++) {
        assert.equal(
          typeof encodeAnywhere(rawArray([document.subarray(0, length)])),
          'string',
          `cut at ${length}`,
        );
      }
    }
  });

  it('is a dead letter if it is truncated with a matching length, and its neighbours are rows', () => {
    for (const document of documents) {
      for (let length = 5; length < document.length; length++) {
        for (const last of [0, 1]) {
          const cut = Buffer.from(document.subarray(0, length));
          cut.writeInt32LE(length);
          cut[length - 1] = last;
          const outcome = encodeAnywhere(rawArray([document, cut, document]));
          assert.ok(typeof outcome !== 'string');
          if (outcome.rowCount === 3) {
            deserialize(cut);
            continue;
          }
          assert.deepEqual(
            outcome.deadLetters.map(({ ordinal }) => ordinal),
            [1],
          );
          assert.deepEqual(outcome.deadLetters[0]?.document, cut);
        }
      }
    }
  });

  it('is a row, a dead letter or a BsonError, whichever byte of it changes', () => {
    const seen = { rows: 0, deadLetters: 0, errors: 0 };
    for (const document of documents) {
      const array = rawArray([document, documents[0] ?? document]);
      for (let at = 0; at < array.length; at++) {
        for (const value of mutationsOf(array[at] ?? 0)) {
          const mutated = Buffer.from(array);
          mutated[at] = value;
          const outcome = encodeAnywhere(mutated);
          if (typeof outcome === 'string') {
            seen.errors++;
          } else {
            seen.rows += outcome.rowCount;
            seen.deadLetters += outcome.deadLetters.length;
            if (outcome.rowCount === outcome.documentCount) {
              deserialize(mutated, { promoteValues: false, bsonRegExp: true });
            }
          }
        }
      }
    }
    assert.ok(seen.rows > 0 && seen.deadLetters > 0 && seen.errors > 0, JSON.stringify(seen));
  });
});

/** Every type byte, and what turns lengths negative, large, or wrong by one. */
function mutationsOf(byte: number): Set<number> {
  const values = new Set([
    ...Array.from({ length: 0x14 }, (_, i) => i),
    0x7f,
    0x80,
    0xc0,
    0xe2,
    0xed,
    0xf4,
    0xff,
  ]);
  for (const value of [byte - 1, byte + 1, byte ^ 0x80, byte ^ 0x20]) values.add(value & 0xff);
  values.delete(byte);
  return values;
}
