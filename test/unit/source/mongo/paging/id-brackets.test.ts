import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Decimal128,
  deserialize,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  type Document,
} from 'bson';
import { filtersBetween } from '../../../../../src/source/mongo/paging/id-brackets.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { corpus } from '../../../../support/raw-corpus.ts';
import { rawDocument } from '../../../../support/raw-bson.ts';

function after(_id: unknown): Document[] {
  return decode(filtersBetween(serialize({ _id }), null));
}

function decode(filters: readonly Uint8Array[]): Document[] {
  return filters.map((filter) => deserialize(filter, { promoteValues: false }));
}

function laterTypes(filters: Document[]): string[] {
  return (filters.at(-1) as { _id: { $type: string[] } })._id.$type;
}

describe('filtersBetween', () => {
  it('begins without a condition', () => {
    assert.deepEqual(decode(filtersBetween(null, null)), [{}]);
  });

  it('continues within the bracket, then with all later types', () => {
    const filters = after('m');
    assert.deepEqual(filters[0], { _id: { $gt: 'm' } });
    assert.equal(filters.length, 2);
    assert.equal(laterTypes(filters)[0], 'object');
    assert.equal(laterTypes(filters).at(-1), 'maxKey');
  });

  it('keeps all digits of a long', () => {
    const [first] = after(Long.MAX_VALUE) as [{ _id: { $gt: Long } }];
    assert.equal(first._id.$gt.toString(), '9223372036854775807');
  });

  for (const nan of [new Double(NaN), Decimal128.fromString('NaN')]) {
    it(`continues after NaN (${nan._bsontype}) with all other numbers`, () => {
      assert.deepEqual(after(nan)[0], { _id: { $gte: new Double(-Infinity) } });
    });
  }

  it('takes the text "NaN" as text', () => {
    assert.deepEqual(after('NaN')[0], { _id: { $gt: 'NaN' } });
  });

  it('leaves a bracket of one value immediately', () => {
    assert.equal(after(null).length, 1);
    assert.equal(laterTypes(after(null))[0], 'int');
    assert.equal(after(new MinKey()).length, 1);
  });

  it('does not query types that the server does not know', () => {
    const unknown = new Set(['undefined', 'symbol', 'dbPointer']);
    const later = decode(filtersBetween(serialize({ _id: new MinKey() }), null, unknown));
    const types = laterTypes(later);
    assert.deepEqual(
      types.filter((type) => unknown.has(type)),
      [],
    );
    assert.equal(types[0], 'null');
    const untilNull = decode(filtersBetween(null, serialize({ _id: null }), unknown));
    assert.deepEqual(untilNull.at(-1), { _id: { $type: ['null'] } });
  });

  it('does not skip null after undefined, which sorts before it', () => {
    const undefinedId = rawDocument([[bsonTypes.undefined, '_id', Buffer.alloc(0)]]);
    assert.equal(laterTypes(decode(filtersBetween(undefinedId, null)))[0], 'null');
    assert.deepEqual(decode(filtersBetween(undefinedId, serialize({ _id: null }))), [
      { _id: { $type: ['null'] } },
    ]);
  });

  it('ends after MaxKey', () => {
    assert.deepEqual(after(new MaxKey()), []);
  });

  it('continues after any value, byte for byte', () => {
    for (const { name, bson, bytes } of corpus) {
      if (bson === 'array') continue;
      const type = bsonTypes[bson];
      const filters = filtersBetween(rawDocument([[type, '_id', bytes]]), null);
      const within = rawDocument([[3, '_id', rawDocument([[type, '$gt', bytes]])]]);
      const isPassed = filters.some((filter) => Buffer.compare(filter, within) === 0);
      const isLast = ['minKey', 'maxKey', 'null', 'undefined'].includes(bson) || name.endsWith('NaN');
      assert.equal(isPassed, !isLast, name);
    }
  });

  const between = (first: unknown, last: unknown): Document[] =>
    decode(
      filtersBetween(
        first === undefined ? null : serialize({ _id: first }),
        last === undefined ? null : serialize({ _id: last }),
      ),
    );

  it('stays within one bracket when both ends are in it', () => {
    assert.deepEqual(between(1, 9), [{ _id: { $gt: new Int32(1), $lte: new Int32(9) } }]);
  });

  it('reads the rest of one bracket, all between, and the beginning of another', () => {
    const filters = between(1, new ObjectId('5f9f1b9b9c9d440000000001'));
    assert.deepEqual(filters, [
      { _id: { $gt: new Int32(1) } },
      { _id: { $type: ['symbol', 'string', 'object', 'binData'] } },
      { _id: { $lte: new ObjectId('5f9f1b9b9c9d440000000001') } },
    ]);
  });

  it('reads from the beginning to an end', () => {
    assert.deepEqual(between(undefined, 9), [
      { _id: { $type: ['minKey', 'undefined', 'null'] } },
      { _id: { $eq: new Double(NaN) } },
      { _id: { $lte: new Int32(9) } },
    ]);
  });

  it('queries brackets of one value by their type', () => {
    assert.deepEqual(between(undefined, new MinKey()), [{ _id: { $type: ['minKey'] } }]);
    assert.deepEqual(between(new MinKey(), null), [
      { _id: { $type: ['undefined'] } },
      { _id: { $type: ['null'] } },
    ]);
    assert.deepEqual(between(null, null), []);
    assert.deepEqual(between('x', new MaxKey()).at(-1), { _id: { $type: ['maxKey'] } });
  });

  it('skips NaN once it is past it', () => {
    assert.deepEqual(between(new Double(NaN), 5), [
      { _id: { $gte: new Double(-Infinity), $lte: new Int32(5) } },
    ]);
  });
});
