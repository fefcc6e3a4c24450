import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize } from 'bson';
import { BSON } from 'mongodb';
import { rawField } from '../../../../src/source/mongo/raw-field.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { int32, rawDocument, rawString } from '../../../support/raw-bson.ts';
import { corpus } from '../../../support/raw-corpus.ts';

describe('rawField', () => {
  for (const { name, bson, bytes } of corpus) {
    it(`${name} is sent unchanged, byte for byte`, () => {
      const type = bsonTypes[bson];
      const command = { find: 'x', ...rawField('filter', { type, bytes }), limit: 1 };
      const expected = rawDocument([
        [bsonTypes.string, 'find', rawString('x')],
        [type, 'filter', bytes],
        [bsonTypes.int, 'limit', int32(1)],
      ]);
      assert.deepEqual(Buffer.from(BSON.serialize(command)), expected);
    });
  }

  it('may be within a list', () => {
    const match = serialize({ a: 1 });
    const command = {
      pipeline: [rawField('$match', { type: bsonTypes.object, bytes: match }), { $limit: 1 }],
    };
    assert.deepEqual(BSON.serialize(command), serialize({ pipeline: [{ $match: { a: 1 } }, { $limit: 1 }] }));
  });

  it('is written under its own name only', () => {
    const { filter } = rawField('filter', { type: bsonTypes.object, bytes: rawDocument([]) });
    assert.throws(() => BSON.serialize({ query: filter }), /a command cannot carry raw BSON/);
  });
});
