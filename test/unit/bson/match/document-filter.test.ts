import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileFilter } from '../../../../src/bson/match/document-filter.ts';
import { parseFilter } from '../../../../src/bson/filter.ts';
import { validateDocument } from '../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { int32, rawDocument } from '../../../support/raw-bson.ts';

const { array, int, object } = bsonTypes;

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
    it(`${filter} distinguishes documents by the order of their names`, () => {
      const isChosen = compileFilter(parseFilter(filter, 'FILTER'), 'FILTER');
      const documents = [first, second].map((id) => rawDocument([[object, '_id', id]]));
      assert.deepEqual(documents.map(isChosen), expected);
    });
  }

  it('matches each of several documents in one buffer by itself', () => {
    const isChosen = compileFilter(parseFilter('{"a": 1}', 'FILTER'), 'FILTER');
    const [one, two] = [rawDocument([[int, 'a', int32(1)]]), rawDocument([[int, 'a', int32(2)]])];
    const memory = Buffer.concat([two, one, two]);
    const size = one.byteLength;
    const documents = [0, 1].map((index) => memory.subarray(index * size, (index + 1) * size));
    assert.deepEqual(documents.map(isChosen), [false, true]);
    // The missing field follows in the bytes of another document.
    const cutOff = memory.subarray(2 * size, -1);
    assert.equal(isChosen(cutOff), true);
  });

  it('selects every corrupt document, with any byte wrong', () => {
    const isChosen = compileFilter(parseFilter('{"d": 5, "b.c": {"$ne": 3}}', 'FILTER'), 'FILTER');
    const inner = rawDocument([[array, 'c', rawDocument([[int, '0', one]])]]);
    const document = rawDocument([
      [bsonTypes.regex, 'a', Buffer.from('x\0i\0')],
      [object, 'b', inner],
      [int, 'd', int32(2)],
    ]);
    for (const [index, byte] of [...document.keys()].flatMap((at) =>
      [0, 1, 0x7f, 0xff].map((it) => [at, it] as const),
    )) {
      const changed = Buffer.from(document);
      changed[index] = byte;
      assert.equal(isChosen(changed), !isWellFormed(changed), `byte ${index} is ${byte}`);
    }
  });
});

function isWellFormed(document: Buffer): boolean {
  try {
    return validateDocument(document, 0, document.byteLength) === document.byteLength;
  } catch {
    return false;
  }
}
