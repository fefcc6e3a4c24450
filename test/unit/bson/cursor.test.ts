import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize } from 'bson';
import { BsonError } from '../../../src/bson/types.ts';
import { countDocuments, DocumentCursor, findField } from '../../../src/bson/cursor.ts';
import { int32, int64, rawArray, rawDocument, type RawElement, rawString } from '../../support/raw-bson.ts';

/** Walks the whole document: findField does, for a missing name. */
function walk(document: Uint8Array): void {
  assert.equal(findField(document, 'no such field'), null);
}

describe('DocumentCursor', () => {
  it('gives the start and end of each document', () => {
    const documents = [serialize({ a: 1 }), serialize({}), serialize({ b: 'x'.repeat(300) })];
    const array = rawArray(documents);
    const cursor = new DocumentCursor(array);
    for (const document of documents) {
      assert.ok(cursor.next());
      assert.deepEqual(array.subarray(cursor.start, cursor.end), Buffer.from(document));
    }
    assert.ok(!cursor.next());
    assert.equal(countDocuments(array), 3);
  });

  it('finds none in an empty array', () => {
    assert.equal(countDocuments(rawArray([])), 0);
  });

  const two = [serialize({ a: 1 }), serialize({ b: 2 })];
  const broken: [string, Buffer, RegExp][] = [
    ['nothing', Buffer.alloc(0), /the length of a document of 4 bytes where 0 are left at byte 0/],
    ['an array shorter than its length', rawArray(two).subarray(0, -1), /are left at byte 0/],
    [
      'an array longer than its length',
      Buffer.concat([rawArray(two), Buffer.of(0)]),
      /an array of \d+ bytes in \d+/,
    ],
    ['an element that is no document', rawDocument([[0x10, '0', int32(1)]]), /type 0x10 .* at byte 4/],
    [
      'a document longer than the array',
      rawDocument([[3, '0', int32(100)]]),
      /a document of 100 bytes .* at byte 7/,
    ],
    [
      'a document of a negative length',
      rawDocument([[3, '0', int32(-1)]]),
      /a document of -1 bytes at byte 7/,
    ],
    ['an index without an end', Buffer.from('080000000331320000', 'hex').subarray(0, 8), /without/],
  ];
  for (const [name, array, message] of broken) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => countDocuments(array),
        (error) => error instanceof BsonError && message.test(error.message),
      );
    });
  }
});

describe('findField', () => {
  it('finds the first field of the name, at the top level only', () => {
    const document = rawDocument([
      [3, 'nested', rawDocument([[0x10, '_id', int32(1)]])],
      [0x10, '_i', int32(2)],
      [0x10, '_idx', int32(3)],
      [0x10, '_id', int32(4)],
      [0x10, '_id', int32(5)],
    ]);
    const found = findField(document, '_id');
    assert.ok(found !== null);
    assert.equal(found.type, 0x10);
    assert.equal(document.readInt32LE(found.valueStart), 4);
    assert.equal(found.valueEnd - found.valueStart, 4);
    assert.equal(document.toString('utf8', found.nameStart, found.nameEnd), '_id');
  });

  it('finds an empty name, and one of several bytes a character', () => {
    const document = rawDocument([
      [0x10, '', int32(1)],
      [0x10, 'ключ🔑', int32(2)],
    ]);
    assert.equal(findField(document, '')?.valueStart, 6);
    assert.equal(findField(document, 'ключ🔑')?.valueEnd, document.length - 1);
  });
});

describe('the elements of a document', () => {
  const code = Buffer.concat([rawString('f'), rawDocument([])]);
  const good: RawElement[] = [
    [0x01, 'double', int64(0n)],
    [0x02, 'string', rawString('a\0b')],
    [0x03, 'document', rawDocument([])],
    [0x04, 'array', rawDocument([])],
    [0x05, 'binary', Buffer.concat([int32(2), Buffer.of(0, 1, 2)])],
    [0x05, 'old binary', Buffer.concat([int32(6), Buffer.of(2), int32(2), Buffer.of(1, 2)])],
    [0x06, 'undefined', Buffer.of()],
    [0x07, 'objectId', Buffer.alloc(12)],
    [0x08, 'boolean', Buffer.of(1)],
    [0x09, 'date', int64(0n)],
    [0x0a, 'null', Buffer.of()],
    [0x0b, 'regex', Buffer.from('a\0i\0')],
    [0x0c, 'dbPointer', Buffer.concat([rawString('ns'), Buffer.alloc(12)])],
    [0x0d, 'code', rawString('f')],
    [0x0e, 'symbol', rawString('s')],
    [0x0f, 'code with scope', Buffer.concat([int32(4 + code.length), code])],
    [0x10, 'int32', int32(1)],
    [0x11, 'timestamp', int64(1n)],
    [0x12, 'int64', int64(1n)],
    [0x13, 'decimal128', Buffer.alloc(16)],
    [0x7f, 'maxKey', Buffer.of()],
    [0xff, 'minKey', Buffer.of()],
  ];

  it('may be of every type', () => {
    walk(rawDocument(good));
  });

  for (const [type, name, value] of good) {
    if (value.length === 0) continue;
    it(`end before the document does: ${name.toString()}`, () => {
      for (let length = 0; length < value.length; length++) {
        assert.throws(() => {
          walk(rawDocument([[type, name, value.subarray(0, length)]]));
        }, BsonError);
      }
    });
  }

  const bad: [string, RawElement, RegExp][] = [
    ['an unknown type', [0x14, 'a', Buffer.of()], /unknown type 0x14/],
    ['type 0 before the end', [0, 'a', Buffer.of()], /unknown type 0x00/],
    ['a boolean of 2', [8, 'a', Buffer.of(2)], /a boolean of the value 2 at byte 7/],
    ['a string of no bytes', [2, 'a', int32(0)], /a string of 0 bytes at byte 7/],
    ['a string of negative length', [2, 'a', int32(-5)], /a string of -5 bytes at byte 7/],
    ['a string of the greatest length', [2, 'a', int32(0x7fffffff)], /a string of 2147483647 bytes where/],
    [
      'a string without NUL',
      [2, 'a', Buffer.concat([int32(2), Buffer.from('ab')])],
      /a string without its final NUL/,
    ],
    ['a document too short', [3, 'a', int32(4)], /a document of 4 bytes/],
    ['a document of the least length', [3, 'a', int32(-0x80000000)], /a document of -2147483648 bytes/],
    [
      'a document without NUL',
      [3, 'a', Buffer.concat([int32(5), Buffer.of(1)])],
      /a document without its final NUL/,
    ],
    [
      'a binary value of negative length',
      [5, 'a', Buffer.concat([int32(-1), Buffer.of(0)])],
      /binary value of -1/,
    ],
    [
      'a binary value of the greatest length',
      [5, 'a', Buffer.concat([int32(0x7fffffff), Buffer.of(0)])],
      /binary value of 2147483648/,
    ],
    [
      'an old binary value with a wrong inner length',
      [5, 'a', Buffer.concat([int32(6), Buffer.of(2), int32(3), Buffer.of(1, 2)])],
      /old binary value of 3/,
    ],
    [
      'code with scope longer than its parts',
      [15, 'a', Buffer.concat([int32(5 + code.length), code, Buffer.of(0)])],
      /code with scope/,
    ],
    ['code with scope of negative length', [15, 'a', Buffer.concat([int32(-9), code])], /at byte/],
    [
      'a regular expression without options',
      [11, 'a', Buffer.from('a\0i')],
      /options of a regular expression without an end/,
    ],
  ];
  for (const [name, element, message] of bad) {
    it(`are refused: ${name}`, () => {
      assert.throws(
        () => {
          walk(rawDocument([element]));
        },
        (error) => error instanceof BsonError && message.test(error.message),
      );
    });
  }

  it('are refused: a name without an end', () => {
    const document = Buffer.from('0800000010616200', 'hex');
    assert.throws(() => {
      walk(document);
    }, /a field name without an end at byte 5/);
  });
});
