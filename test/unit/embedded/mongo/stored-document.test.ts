/** Documents before they are stored: what is refused, and where the `_id` goes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, ObjectId, serialize } from 'bson';
import { QueryError } from '../../../../src/match/errors.ts';
import { prepareDocument } from '../../../../src/embedded/mongo/stored-document.ts';

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

  it('moves the _id to the front, and makes one where there is none', () => {
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
    assertRefused(Buffer.from(serialize({ _id: [1] })), 2);
    assertRefused(Buffer.from(serialize({ _id: /a/ })), 2);
    assertRefused(Buffer.from('0a000000065f69640000', 'hex'), 2);
    assertRefused(Buffer.from(serialize({ _id: { $a: 1 } })), 52);
  });

  it('refuses two _ids and more than 16 MiB', () => {
    const one = Buffer.from(serialize({ _id: 1 })).subarray(4, -1);
    const two = Buffer.concat([Buffer.from([one.length * 2 + 5, 0, 0, 0]), one, one, Buffer.alloc(1)]);
    assertRefused(two, 2);
    assertRefused(Buffer.from(serialize({ _id: 1, text: 'x'.repeat(16 * 1024 * 1024) })), 2);
  });

  it('refuses a document cut off at any byte', () => {
    const document = Buffer.from(serialize({ _id: 1, a: { b: [1, 'x', null] }, c: /x/i }));
    for (let length = 0; length < document.length; length++) {
      assertRefused(document.subarray(0, length), 22);
    }
  });
});
