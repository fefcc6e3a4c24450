import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize } from 'bson';
import {
  arrayHeaderBytes,
  arrayTerminatorBytes,
  arrayOfDocuments,
  arrayOfElements,
} from '../../../src/bson/array.ts';
import { DocumentCursor } from '../../../src/bson/cursor.ts';
import { rawArray } from '../../support/raw-bson.ts';

function documentsIn(array: Uint8Array): Buffer[] {
  const found: Buffer[] = [];
  const cursor = new DocumentCursor(array);
  while (cursor.next()) found.push(Buffer.from(array.subarray(cursor.start, cursor.end)));
  return found;
}

describe('a BSON array made of documents', () => {
  for (const count of [0, 1, 2, 25]) {
    it(`has all ${count} of them, byte for byte`, () => {
      const documents = Array.from({ length: count }, (_, index) =>
        Buffer.from(serialize({ _id: index, text: 'x'.repeat(index) })),
      );
      const array = arrayOfDocuments(documents);
      assert.equal(array.readInt32LE(0), array.length);
      assert.deepEqual(documentsIn(array), documents);
    });
  }

  it('made of the elements of another equals it', () => {
    const whole = rawArray([serialize({ _id: 1 }), serialize({ _id: 2 })]);
    const elements = whole.subarray(arrayHeaderBytes, whole.length - arrayTerminatorBytes);
    assert.deepEqual(arrayOfElements(elements), whole);
  });
});
