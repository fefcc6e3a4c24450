import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Binary, Double, serialize } from 'bson';
import { canDivide, chooseCuts, intervalsBetween } from '../../../../../src/source/mongo/paging/id-cuts.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { everyValue } from '../../../../support/bson-corpus.ts';
import { rawDocument } from '../../../../support/raw-bson.ts';
import fc from '../../../../support/fast-check.ts';

describe('chooseCuts', () => {
  it('puts about as many ids into each part', () => {
    assert.deepEqual(chooseCuts([1, 2, 3, 4, 5, 6, 7], 4), [2, 4, 6]);
    assert.deepEqual(chooseCuts(['a', 'b', 'c'], 2), ['b']);
    assert.deepEqual(chooseCuts([1], 2), [1]);
  });

  it('any ids, any number of parts: cuts in order, each once, and no part with many more ids than another', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer({ min: 0, max: 40 }), (count, parts) => {
        const ids = Array.from({ length: count }, (_, index) => index);
        const cuts = chooseCuts(ids, parts);
        assert.ok(cuts.every((cut, index) => cut > (cuts[index - 1] ?? -1)));
        assert.equal(cuts.length, Math.max(0, Math.min(parts - 1, count)));
        const sizes = [...cuts, count].map((cut, index) => cut - (cuts[index - 1] ?? -1));
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join(' '));
      }),
    );
  });
});

describe('intervalsBetween', () => {
  it('covers everything, whatever the cuts', () => {
    const [a, b] = [serialize({ _id: 1 }), serialize({ _id: 2 })];
    assert.deepEqual(intervalsBetween([]), [{ after: null, until: null }]);
    assert.deepEqual(intervalsBetween([a, b]), [
      { after: null, until: a },
      { after: a, until: b },
      { after: b, until: null },
    ]);
  });
});

describe('canDivide', () => {
  it('accepts every value except those that a query would interpret', () => {
    const refused = everyValue.filter((_id) => !canDivide(serialize({ _id })));
    // A DBRef is an object whose first name is $ref.
    assert.deepEqual(
      refused.map((value) => (value as { _bsontype?: string })._bsontype),
      ['BSONRegExp', 'DBRef'],
    );
    assert.equal(canDivide(serialize({ _id: { $gt: 1 } })), false);
    assert.equal(canDivide(serialize({ _id: { '': 1 } })), true);
    assert.equal(canDivide(serialize({ _id: {} })), true);
    assert.equal(canDivide(serialize({ _id: new Double(NaN) })), true);
    assert.equal(canDivide(serialize({ _id: new Binary(Buffer.alloc(2_000)) })), false);
    const farDate = serialize({ _id: new Date(0) });
    farDate.fill(0x7f, 9, 16);
    assert.equal(canDivide(farDate), true);
    assert.equal(canDivide(rawDocument([[bsonTypes.undefined, '_id', Buffer.of()]])), false);
  });
});
