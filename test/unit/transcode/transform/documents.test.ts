import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, Double, EJSON, Long, ObjectId, serialize, UUID, type Document } from 'bson';
import { BsonWriter } from '../../../../src/bson/bson-writer.ts';
import { wrapBytes } from '../../../../src/bson/cursor.ts';
import { DocumentError } from '../../../../src/bson/document-error.ts';
import { buildDocument, doubleOf, textOf } from '../../../../src/bson/build.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { readDocument } from '../../../../src/transcode/transform/read-document.ts';
import { isDocument, ResultError, writeListed } from '../../../../src/transcode/transform/write-document.ts';
import { value } from '../../../support/arbitrary-bson.ts';
import fc from '../../../support/fast-check.ts';

function read(bytes: Uint8Array): Record<string, unknown> {
  return readDocument(wrapBytes(bytes), 0, bytes.byteLength);
}

function write(document: Record<string, unknown>): Buffer {
  const writer = new BsonWriter();
  writeListed(document, writer);
  return Buffer.from(writer.bytes.subarray(2, writer.position));
}

/** Names that are integers go before the others in an object, which says nothing of values. */
const inOrder = (bytes: Uint8Array): Uint8Array =>
  serialize(deserialize(bytes, { promoteValues: false, bsonRegExp: true }));

describe('documents as objects', () => {
  it('are converted back byte by byte', () => {
    fc.assert(
      fc.property(value, (of) => {
        const bytes = serialize(new Map([['v', of]]));
        // With its names in the order of an object.
        const ordered = write(read(bytes));
        assert.deepEqual(write(read(ordered)), ordered);
        assert.equal(ordered.byteLength, bytes.byteLength);
        assert.deepEqual(Buffer.from(inOrder(ordered)), Buffer.from(inOrder(bytes)));
      }),
      { numRuns: 500 },
    );
  });

  it('keep values that JavaScript does not have', () => {
    const pointer = Buffer.concat([textOf('users').bytes, new ObjectId().id]);
    const late = Buffer.alloc(8);
    late.writeBigInt64LE(2n ** 62n);
    const bytes = buildDocument(
      ['pointer', { type: bsonTypes.dbPointer, bytes: pointer }],
      ['late', { type: bsonTypes.date, bytes: late }],
      ['regex', { type: bsonTypes.regex, bytes: Buffer.from('a\0xi\0') }],
      [
        'reference',
        { type: bsonTypes.object, bytes: Buffer.from(serialize({ $ref: 'fs.files', $id: 1, $db: 'x' })) },
      ],
      ['__proto__', textOf('own')],
    );
    assert.deepEqual(write(read(bytes)), bytes);
  });

  it('have int32 as numbers, int64 as bigints, and doubles as such', () => {
    const document = read(
      serialize({ int: 3, long: Long.fromNumber(5), double: new Double(3), text: 'a', no: null }),
    );
    assert.deepEqual(document, { int: 3, long: 5n, double: new Double(3), text: 'a', no: null });
    assert.equal(Number(document.double) * 2, 6);
  });

  it('keep their names: short, long, non-ASCII, or similar', () => {
    const alike = [
      'aXcYe',
      'aYcXe',
      'aZcZe',
      'é',
      'ѥ',
      'a',
      '',
      '7',
      'x'.repeat(64),
      'x'.repeat(65),
      'é'.repeat(40),
    ];
    for (const names of [alike, alike.toReversed(), alike]) {
      const bytes = serialize(new Map(names.map((name) => [name, name])));
      const document = read(bytes);
      assert.deepEqual(document, Object.fromEntries(names.map((name) => [name, name])));
      assert.deepEqual(read(write(document)), document);
    }
  });

  it('have text of every length, ASCII or not', () => {
    const texts = Array.from({ length: 70 }, (_, length) => 'a'.repeat(length));
    const all = texts.flatMap((text) => [text, `${text}é`, `€${text}`, `${text}😀${text}`]);
    assert.deepEqual(deserialize(write({ all })), { all });
  });

  it('a duplicate field is an error', () => {
    assert.throws(
      () => read(buildDocument(['a', doubleOf(1)], ['a', doubleOf(2)])),
      (error) => error instanceof DocumentError && error.reason === 'transform_input',
    );
  });

  it('omit undefined values, but keep their place in an array', () => {
    const bytes = buildDocument(
      ['gone', { type: bsonTypes.undefined, bytes: Buffer.alloc(0) }],
      ['a', textOf('b')],
    );
    assert.deepEqual(deserialize(write(read(bytes))), { a: 'b' });
    assert.deepEqual(deserialize(write({ a: [1, undefined, 2] })), { a: [1, undefined, 2] });
  });
});

describe('results as documents', () => {
  const cases: readonly (readonly [what: string, value: unknown, message: RegExp])[] = [
    ['a function', () => 1, /the field "a\.b" is a function/],
    ['a symbol', Symbol('x'), /the field "a\.b" is a symbol/],
    ['a Set', new Set([1]), /the field "a\.b" is a Set/],
    ['a Map', new Map(), /the field "a\.b" is a Map/],
    ['a promise', Promise.resolve(1), /the field "a\.b" is a Promise.*not asynchronous/],
    ['an invalid date', new Date(NaN), /the field "a\.b" is an invalid Date/],
    ['a bigint that is too large', 2n ** 63n, /the field "a\.b" is out of range for an int64/],
    ['a name with U+0000', { 'c\0': 1 }, /U\+0000/],
  ];
  for (const [what, of, message] of cases) {
    it(`${what} is an error that names the field`, () => {
      assert.throws(
        () => write({ a: { b: of } }),
        (error) => error instanceof ResultError && message.test(error.message),
      );
    });
  }

  it('a circular one is an error', () => {
    const document: Document = { a: {} };
    (document.a as Document).b = document;
    assert.throws(() => write(document), ResultError);
    const array: unknown[] = [];
    array.push(array);
    assert.throws(() => write({ array }), ResultError);
  });

  it('one of more than 16 MB is an error, and nothing of it is left', () => {
    const writer = new BsonWriter();
    assert.throws(() => {
      writeListed({ a: 'x'.repeat(17_000_000) }, writer);
    }, /16 MB/);
    assert.equal(writer.position, 0);
  });

  it("take js-bson's values, bytes and regular expressions", () => {
    const uuid = new UUID();
    const bytes = write({
      uuid,
      bytes: new Uint8Array([1, 2]),
      regex: /a/i,
      id: new ObjectId('0'.repeat(24)),
    });
    assert.deepEqual(
      EJSON.stringify(deserialize(bytes)),
      EJSON.stringify(
        deserialize(
          serialize({ uuid, bytes: new Uint8Array([1, 2]), regex: /a/i, id: new ObjectId('0'.repeat(24)) }),
        ),
      ),
    );
  });

  it('other values are distinguished from documents', () => {
    for (const no of [
      null,
      undefined,
      1,
      'a',
      [],
      new Date(),
      new ObjectId(),
      new Map(),
      Promise.resolve({}),
    ]) {
      assert.equal(isDocument(no), false);
    }
    for (const yes of [{}, Object.create(null), { _bsontype: 'ObjectId' }]) {
      assert.equal(isDocument(yes), true);
    }
  });
});
