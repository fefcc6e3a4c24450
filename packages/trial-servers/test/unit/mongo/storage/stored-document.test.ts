/** Documents before they are stored: what is refused, and where the `_id` goes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, deserialize, ObjectId, serialize, Timestamp } from 'bson';
import { QueryError } from '../../../../../../src/bson/match/errors.ts';
import { prepareDocument } from '../../../../src/mongo/storage/stored-document.ts';

function prepare(document: Buffer): Record<string, unknown> {
  const { bytes, start, end } = prepareDocument(document, 0, document.length);
  return deserialize(bytes.subarray(start, end));
}

function assertRefused(document: Buffer, code: number): void {
  assert.throws(
    () => prepareDocument(document, 0, document.length),
    (error) => error instanceof QueryError && error.code === code,
  );
}

describe('prepareDocument', () => {
  it('leaves a document that begins with its _id in place', () => {
    const document = Buffer.from(serialize({ _id: 1, a: 2 }));
    assert.deepEqual(prepareDocument(document, 0, document.length), {
      bytes: document,
      start: 0,
      end: document.length,
    });
  });

  it('moves the _id to the front, and adds a missing one', () => {
    const moved = prepare(Buffer.from(serialize({ a: 1, _id: 'x', b: 2, _ids: 3 })));
    assert.deepEqual(Object.entries(moved), [
      ['_id', 'x'],
      ['a', 1],
      ['b', 2],
      ['_ids', 3],
    ]);
    const { _id: id, ...rest } = prepare(Buffer.from(serialize({ a: 1 })));
    assert.ok(id instanceof ObjectId);
    assert.deepEqual(rest, { a: 1 });
  });

  it('refuses an array, a regular expression, undefined and names with $ in an _id', () => {
    assertRefused(Buffer.from(serialize({ _id: [1] })), 53);
    assertRefused(Buffer.from(serialize({ _id: /a/ })), 53);
    assertRefused(Buffer.from('0a000000065f69640000', 'hex'), 53);
    assertRefused(Buffer.from(serialize({ _id: { $a: 1 } })), 52);
    assertRefused(Buffer.from(serialize({ _id: { a: [{ b: { $c: 1 } }] } })), 52);
    assertRefused(Buffer.from(serialize({ _id: { a: new Code('x', { $c: 1 }) } })), 52);
  });

  it('accepts a DBRef as an _id, only in the order of its names', () => {
    for (const id of [
      { $ref: 'a', $id: 1 },
      { $ref: 'a', $id: { b: 1 }, $db: 'c', d: 1 },
    ]) {
      const document = Buffer.from(serialize({ _id: id }));
      assert.equal(prepareDocument(document, 0, document.length).bytes, document);
    }
    assertRefused(Buffer.from(serialize({ _id: { $id: 1, $ref: 'a' } })), 52);
    assertRefused(Buffer.from(serialize({ _id: { $ref: 1, $id: 1 } })), 52);
    assertRefused(Buffer.from(serialize({ _id: { a: 1, $ref: 'a', $id: 1 } })), 52);
  });

  it('refuses more than 180 levels of nesting', () => {
    assert.doesNotThrow(() => prepare(nest(180)));
    assertRefused(nest(181), 15);
  });

  it('replaces an empty timestamp by the time, but not in an _id, nor with keepEmptyTimestamps', () => {
    const empty = new Timestamp(0n);
    const document = () =>
      Buffer.from(serialize({ _id: empty, at: empty, in: { at: empty }, past: new Timestamp(5n) }));
    const read = (bytes: Buffer): unknown[] => {
      const { _id: id, at, in: inner, past } = deserialize(bytes) as Record<string, Timestamp>;
      return [id, at, (inner as unknown as { at: Timestamp }).at, past].map(Number);
    };
    const size = document().length;
    assert.deepEqual(read(prepareDocument(document(), 0, size, () => 7n).bytes), [0, 7, 0, 5]);
    assert.deepEqual(read(prepareDocument(document(), 0, size).bytes), [0, 0, 0, 5]);
  });

  it('refuses two _ids and more than 16 MiB', () => {
    const one = Buffer.from(serialize({ _id: 1 })).subarray(4, -1);
    const two = Buffer.concat([Buffer.from([one.length * 2 + 5, 0, 0, 0]), one, one, Buffer.alloc(1)]);
    assertRefused(two, 2);
    assertRefused(Buffer.from(serialize({ _id: 1, text: 'x'.repeat(16 * 1024 * 1024) })), 2);
  });

  it('refuses a document truncated at any byte', () => {
    const document = Buffer.from(serialize({ _id: 1, a: { b: [1, 'x', null] }, c: /x/i }));
    for (let length = 0; length < document.length; length++) {
      assertRefused(document.subarray(0, length), 22);
    }
  });
});

/** A document of so many levels, itself included. */
function nest(levels: number): Buffer {
  let document: Record<string, unknown> = {};
  for (let level = 1; level < levels; level++) document = { a: document };
  return Buffer.from(serialize(document));
}
