import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { splitBatch } from '../../../../src/workers/supervisor/split.ts';
import type { Batch } from '../../../../src/source/page.ts';
import { rawArray } from '../../../support/raw-bson.ts';

const idOf = (id: unknown): Uint8Array => serialize({ _id: id });

function batchOf(ids: readonly unknown[]): Batch {
  return {
    number: 101,
    rangeNo: 3,
    epoch: 1,
    documentCount: ids.length,
    // Of different lengths, so that a wrong boundary is seen.
    bytes: rawArray(ids.map((id, index) => serialize({ _id: id, text: 'x'.repeat(index * 7) }))),
    after: idOf('before'),
    last: idOf(ids.at(-1)),
  };
}

function idsOf({ bytes }: Batch): unknown[] {
  return readElements(bytes).map((document) => deserialize(document)._id as unknown);
}

/** Built independently of the split: type, empty or short name, document. */
function readElements(array: Uint8Array): Buffer[] {
  const bytes = Buffer.from(array);
  assert.equal(bytes.readInt32LE(0), bytes.length, 'the length in the array');
  assert.equal(bytes[bytes.length - 1], 0, 'the array ends with NUL');
  const found: Buffer[] = [];
  let at = 4;
  while (at < bytes.length - 1) {
    assert.equal(bytes[at], 0x03, 'an element is a document');
    at = bytes.indexOf(0, at + 1) + 1;
    const length = bytes.readInt32LE(at);
    found.push(bytes.subarray(at, at + length));
    at += length;
  }
  assert.equal(at, bytes.length - 1);
  return found;
}

describe('splitting a batch', () => {
  for (const count of [2, 3, 4, 9, 100]) {
    it(`of ${count} documents: the halves are the whole, and their intervals meet`, () => {
      const ids = Array.from({ length: count }, (_, index) => index * 2);
      const batch = batchOf(ids);
      const [first, second] = splitBatch(batch);
      const middle = count >> 1;
      assert.deepEqual(idsOf(first), ids.slice(0, middle));
      assert.deepEqual(idsOf(second), ids.slice(middle));
      assert.deepEqual([first.documentCount, second.documentCount], [middle, count - middle]);
      assert.deepEqual([first.number, second.number], [101, 101 + middle]);
      assert.deepEqual([first.rangeNo, second.rangeNo], [3, 3]);
      assert.deepEqual(first.after, batch.after);
      assert.deepEqual(Buffer.from(first.last), Buffer.from(idOf(ids[middle - 1])));
      assert.deepEqual(second.after, first.last);
      assert.deepEqual(second.last, batch.last);
    });
  }

  it('halves can be split again, down to one document each', () => {
    const parts: Batch[] = [];
    const split = (batch: Batch): void => {
      if (batch.documentCount === 1) parts.push(batch);
      else for (const half of splitBatch(batch)) split(half);
    };
    const ids = Array.from({ length: 13 }, (_, index) => `id ${index}`);
    split(batchOf(ids));
    assert.deepEqual(parts.flatMap(idsOf), ids);
    assert.deepEqual(
      parts.map(({ number }) => number),
      ids.map((_, index) => 101 + index),
    );
  });

  it('of one document is refused', () => {
    assert.throws(() => splitBatch(batchOf([1])), /batch 3\/101 cannot be split/);
  });
});
