import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize } from 'bson';
import fc from 'fast-check';
import { rowLengths, withoutRows } from '../../../src/transcode/copy-rows.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { decodeCopy } from '../../support/copy-decoder.ts';
import { makePlan, rawArray } from '../../support/raw-bson.ts';

const encoder = createRowEncoder(makePlan({ _id: 'int32', text: 'string' }));

/** Rows with texts of different lengths, and NULL in every third. */
function copyOf(count: number): Buffer {
  const documents = Array.from({ length: count }, (_, _id) =>
    serialize(_id % 3 === 0 ? { _id } : { _id, text: 'x'.repeat(_id) }),
  );
  // The encoder uses its buffer again for the next.
  return Buffer.from(encoder.encodeBatch(rawArray(documents)).copy);
}

describe('a COPY stream without some of its rows', () => {
  it('is a whole stream of the others, in their order', () => {
    const anyRows = fc
      .integer({ min: 0, max: 20 })
      .chain((count) =>
        fc.tuple(fc.constant(count), fc.uniqueArray(fc.integer({ min: 0, max: Math.max(0, count - 1) }))),
      );
    fc.assert(
      fc.property(anyRows, ([count, left]) => {
        const copy = copyOf(count);
        const kept = decodeCopy(copy).filter((_, row) => !left.includes(row));
        assert.deepEqual(decodeCopy(withoutRows(copy, new Set(left))), kept);
      }),
    );
  });

  it('without none is the same bytes', () => {
    const copy = copyOf(7);
    assert.deepEqual(withoutRows(copy, new Set()), copy);
  });

  it('without any row is empty, and still a stream', () => {
    assert.deepEqual(decodeCopy(withoutRows(copyOf(4), new Set([0, 1, 2, 3]))), []);
  });
});

describe('the lengths of the fields of a COPY stream', () => {
  it('are told row by row, -1 for NULL', () => {
    assert.deepEqual(
      [...rowLengths(copyOf(3))].map(([id, text]) => [id, text]),
      [
        [4, -1],
        [4, 1],
        [4, 2],
      ],
    );
    assert.deepEqual([...rowLengths(copyOf(0))], []);
  });
});
