/** A collection against a model of it: a sorted array, over many blocks, inserts in any order, and deletes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { Collection } from '../../../../src/mongo/storage/collection.ts';
import { parseFilter } from '../../../../../../src/bson/match/filter.ts';
import { countMatches, findMatches } from '../../../../src/mongo/query/matches.ts';
import fc from '../../../../../../test/support/fast-check.ts';

function encode(document: object): Buffer {
  return Buffer.from(serialize(document));
}

function insert(collection: Collection, id: number, text = ''): boolean {
  const document = encode({ _id: id, text });
  return collection.insert(document, 0, document.length);
}

function readIds(collection: Collection, filter: object = {}): number[] {
  const { idIntervals } = parseFilter(encode(filter), 0);
  return Array.from(collection.scan(idIntervals), readId);
}

function readId({ bytes, start }: { bytes: Buffer; start: number }): number {
  return deserialize(bytes, { index: start, allowObjectSmallerThanBufferSize: true })._id as number;
}

function remove(collection: Collection, filter: object): number {
  const addresses = findMatches(collection, parseFilter(encode(filter), 0), Infinity);
  collection.remove(addresses);
  return addresses.length;
}

const ascending = (a: number, b: number) => a - b;

describe('Collection', () => {
  it('stays sorted and unique over inserts in any order and deletes', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 6000 }), {
      minLength: 3000,
      maxLength: 6000,
      size: 'max',
    });
    const range = fc.tuple(fc.nat(6000), fc.nat(6000)).map((edges) => edges.sort(ascending));
    fc.assert(
      fc.property(ids, fc.array(range, { maxLength: 4 }), range, (inserted, deleted, [from, to]) => {
        const collection = new Collection();
        const model = new Set<number>();
        for (const id of inserted) {
          assert.equal(insert(collection, id), !model.has(id));
          model.add(id);
        }
        for (const [low = 0, high = 0] of deleted) {
          const doomed = [...model].filter((id) => id >= low && id < high);
          assert.equal(remove(collection, { _id: { $gte: low, $lt: high } }), doomed.length);
          for (const id of doomed) {
            model.delete(id);
          }
          for (const id of doomed.slice(0, 100)) {
            assert.ok(insert(collection, id));
            model.add(id);
          }
        }
        const expected = [...model].sort(ascending);
        assert.equal(collection.size, expected.length);
        assert.deepEqual(readIds(collection), expected);
        const filter = { _id: { $gt: from, $lte: to } };
        const inRange = expected.filter((id) => id > from && id <= to);
        assert.deepEqual(readIds(collection, filter), inRange);
        assert.equal(countMatches(collection, parseFilter(encode(filter), 0)), inRange.length);
        assert.deepEqual(Array.from(collection.scan(undefined, -1), readId), expected.reverse());
      }),
      { numRuns: 15 },
    );
  });

  it('stays sorted while ascending inserters take turns', () => {
    const collection = new Collection();
    for (let start = 0; start < 2000; start += 50) {
      for (const offset of [2, 0, 1]) {
        for (let id = start; id < start + 50; id++) {
          assert.ok(insert(collection, id * 3 + offset));
        }
      }
    }
    assert.deepEqual(
      readIds(collection),
      Array.from({ length: 6000 }, (_, id) => id),
    );
  });

  it('frees the space of deleted documents, and keeps the rest', () => {
    const collection = new Collection();
    for (let id = 0; id < 4000; id++) {
      insert(collection, id, 'x'.repeat(1000));
    }
    const [before] = collection.scan();
    remove(collection, { _id: { $lt: 3000 } });
    const [after] = collection.scan();
    assert.notEqual(after?.bytes, before?.bytes);
    assert.equal(collection.size, 1000);
    assert.deepEqual(readIds(collection).slice(0, 3), [3000, 3001, 3002]);
    assert.ok(!insert(collection, 3500));
    assert.ok(insert(collection, 0));
    assert.equal(collection.size, 1001);
  });

  it('samples every document alike, none twice', () => {
    const collection = new Collection();
    for (let id = 0; id < 3000; id++) {
      insert(collection, id);
    }
    const seen = new Set<number>();
    for (let round = 0; round < 60; round++) {
      const picked = collection.sample(300).map(readId);
      assert.equal(new Set(picked).size, 300);
      for (const id of picked) {
        seen.add(id);
      }
    }
    // A document is missed 60 times with probability 0.9^60: 5 of 3000 are expected, 60 are practically impossible.
    assert.ok(seen.size > 2940, `${seen.size}`);
    assert.equal(collection.sample(5000).length, 3000);
    assert.deepEqual(collection.sample(0), []);
  });
});
