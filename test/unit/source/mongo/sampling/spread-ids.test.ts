import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decimal128, deserialize, Double, Int32, Long, ObjectId, serialize } from 'bson';
import { spreadIds } from '../../../../../src/source/mongo/sampling/spread-ids.ts';
import { buildDocument, type BsonValue } from '../../../../../src/bson/build.ts';
import { int64, rawDocument, rawString } from '../../../../support/raw-bson.ts';

function spread(first: unknown, last: unknown, count = 4): unknown[] | null {
  return decode(spreadIds(serialize({ _id: first }), serialize({ _id: last }), count));
}

function decode(points: BsonValue[] | null): unknown[] | null {
  if (points === null) return null;
  return points.map((point): unknown => {
    return deserialize(buildDocument(['point', point]), { promoteValues: false }).point;
  });
}

describe('spreadIds', () => {
  it('divides a range of ObjectIds evenly', () => {
    const points = spread(new ObjectId('000000000000000000000000'), new ObjectId('000000040000000000000000'));
    assert.deepEqual(
      points?.map(String),
      ['00000000', '00000001', '00000002', '00000003'].map((time) => `${time}0000000000000000`),
    );
  });

  it('divides a range of numbers of several types, and keeps their order at the ends of int64', () => {
    const numbers = (points: unknown[] | null): number[] | undefined => points?.map(Number);
    assert.deepEqual(numbers(spread(new Int32(0), new Double(10))), [0, 2.5, 5, 7.5]);
    assert.deepEqual(numbers(spread(Long.MIN_VALUE, Long.MAX_VALUE, 2)), [-(2 ** 63), 0]);
    assert.deepEqual(numbers(spread(-1.5e308, 1.5e308, 2)), [-1.5e308, 0]);
  });

  it('divides a range of dates', () => {
    assert.deepEqual(
      spread(new Date(0), new Date(4000)),
      [0, 1000, 2000, 3000].map((ms) => new Date(ms)),
    );
  });

  it('gives the one _id of a collection of one', () => {
    assert.deepEqual(spread(5, 5, 1), [new Double(5)]);
  });

  for (const [what, first, last] of [
    ['texts', 'a', 'z'],
    ['values of two types', 1, new ObjectId()],
    ['null', null, 5],
    ['documents', { a: 1 }, { a: 2 }],
    ['infinities', -Infinity, 5],
    ['NaN', NaN, 5],
    ['decimals', new Decimal128('1'), new Decimal128('2')],
  ] as const) {
    it(`finds no middle of ${what}`, () => {
      assert.equal(spread(first, last), null);
    });
  }

  it('divides a range of dates beyond those of JavaScript', () => {
    const beyond = rawDocument([[9, '_id', int64(2n ** 62n)]]);
    const points = spreadIds(serialize({ _id: new Date(0) }), beyond, 4) ?? [];
    assert.deepEqual(
      points.map(({ bytes }) => Buffer.from(bytes).readBigInt64LE()),
      [0n, 2n ** 60n, 2n ** 61n, 3n * 2n ** 60n],
    );
  });

  it('finds no middle of a text that is not UTF-8', () => {
    const broken = rawDocument([[2, '_id', rawString(Buffer.of(0xff))]]);
    assert.equal(spreadIds(broken, broken, 4), null);
  });
});
