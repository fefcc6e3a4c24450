import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileFilter } from '../../../../src/bson/match/document-filter.ts';
import { parseFilter } from '../../../../src/bson/filter.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { int32, rawDocument } from '../../../support/raw-bson.ts';

const { int, object } = bsonTypes;

describe('compileFilter', () => {
  const one = int32(1);
  const first = rawDocument([
    [int, 'z', one],
    [int, '7', one],
  ]);
  const second = rawDocument([
    [int, '7', one],
    [int, 'z', one],
  ]);

  for (const [filter, expected] of [
    ['{"_id": {"$in": [{"z": 1, "7": 1}]}}', [true, false]],
    ['{"_id": {"$in": [{"7": 1, "z": 1}]}}', [false, true]],
    ['{"_id": {"$ne": {"z": 1, "7": 1}}}', [false, true]],
    ['{"_id": {"z": 1, "7": 1}}', [true, false]],
    ['{"_id": {"$gt": {"7": 1, "z": 1}}}', [true, false]],
  ] as const) {
    it(`${filter} tells documents by the order of their names`, () => {
      const isChosen = compileFilter(parseFilter(filter, 'FILTER'), 'FILTER');
      const documents = [first, second].map((id) => rawDocument([[object, '_id', id]]));
      assert.deepEqual(documents.map(isChosen), expected);
    });
  }
});
