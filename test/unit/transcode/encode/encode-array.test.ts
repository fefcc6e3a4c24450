import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BSON } from 'bson';
import type { Plan } from '../../../../src/transcode/plan.ts';
import { arrayOfDocuments } from '../../../../src/bson/array.ts';
import { createRowEncoder } from '../../../../src/transcode/row.ts';
import { decodeCopy } from '../../../support/copy-decoder.ts';

const element = { kind: 'int4', oid: 23, delimiter: ',' } as const;
const target = { name: 'integer[][]', kind: 'array', element, dimensions: 2, stage: 'integer[]' } as const;
const plan: Plan = {
  collection: 'things',
  schema: 'public',
  table: 'things',
  columns: [
    { field: '_id', column: '_id', type: 'int32' },
    { field: 'v', column: 'v', type: 'json', target },
  ],
  extraColumn: null,
};

function encode(value: unknown) {
  const { copy, deadLetters } = createRowEncoder(plan).encodeBatch(
    arrayOfDocuments([BSON.serialize({ _id: 1, v: value })]),
  );
  return { field: decodeCopy(copy)[0]?.[1], detail: deadLetters[0]?.detail.replace(/ at byte \d+/, '') };
}

const int32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeInt32BE(value, index * 4));
  return bytes;
};

describe('an array of two dimensions', () => {
  it('has the length of each, and its elements row by row', () => {
    const { field } = encode([
      [1, 2],
      [3, null],
      [5, 6],
    ]);
    // Dimensions, whether there are nulls, the type; of each dimension length and first index; length and value.
    assert.deepEqual(field, int32(2, 1, 23, 3, 1, 2, 1, 4, 1, 4, 2, 4, 3, -1, 4, 5, 4, 6));
    assert.deepEqual(encode([]).field, int32(0, 0, 23));
  });

  for (const [value, what] of [
    [[[1], [2, 3]], 'a ragged array'],
    [[[1, 2], [3]], 'a ragged array'],
    [[[], []], 'a ragged array'],
    [[[1], null], 'a ragged array'],
    [[1, 2], 'a ragged array'],
    [[[1.5], [2]], 'a value of type array'],
    ['1', 'a value of type string'],
  ] as const) {
    it(`is not ${JSON.stringify(value)}`, () => {
      assert.equal(encode(value).detail, `${what} that does not fit integer[][]`);
    });
  }
});
