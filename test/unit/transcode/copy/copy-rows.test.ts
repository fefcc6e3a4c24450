import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize } from 'bson';
import { CopyRows, rowLengths } from '../../../../src/transcode/copy/copy-rows.ts';
import { createRowEncoder } from '../../../../src/transcode/row.ts';
import { decodeCopy } from '../../../support/copy-decoder.ts';
import { makePlan, rawArray } from '../../../support/raw-bson.ts';
import fc from '../../../support/fast-check.ts';

const encoder = createRowEncoder(makePlan({ _id: 'int32', text: 'string' }));

/** Rows with texts of different lengths, and NULL in every third. */
function copyOf(count: number): Buffer {
  const documents = Array.from({ length: count }, (_, _id) =>
    serialize(_id % 3 === 0 ? { _id } : { _id, text: 'x'.repeat(_id) }),
  );
  // The encoder uses its buffer again for the next.
  return Buffer.from(encoder.encodeBatch(rawArray(documents)).copy);
}

describe('a part of a COPY stream', () => {
  it('is a whole stream of its rows, in their order', () => {
    const bounds = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20));
    fc.assert(
      fc.property(bounds, (numbers) => {
        const [first, last, count] = numbers.sort((a, b) => a - b);
        const copy = copyOf(count);
        assert.deepEqual(
          decodeCopy(new CopyRows(copy, count).slice(first, last)),
          decodeCopy(copy).slice(first, last),
        );
      }),
    );
  });

  it('that has all rows is the same bytes', () => {
    const copy = copyOf(7);
    assert.equal(new CopyRows(copy, 7).slice(0, 7), copy);
  });
});

describe('the lengths of the fields of a COPY stream', () => {
  it('are given row by row, -1 for NULL', () => {
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
