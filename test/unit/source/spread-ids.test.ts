import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decimal128, Double, Int32, Long, ObjectId, serialize } from 'bson';
import { spreadIds } from '../../../src/source/spread-ids.ts';
import { int64, rawDocument } from '../../support/raw-bson.ts';

function spread(first: unknown, last: unknown, count = 4): unknown[] | null {
  return spreadIds(serialize({ _id: first }), serialize({ _id: last }), count);
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
    it(`knows no middle of ${what}`, () => {
      assert.equal(spread(first, last), null);
    });
  }

  it('knows no middle of dates beyond those of JavaScript', () => {
    const beyond = rawDocument([[9, '_id', int64(2n ** 62n)]]);
    assert.equal(spreadIds(serialize({ _id: new Date(0) }), beyond, 4), null);
  });
});
