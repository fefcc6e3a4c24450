import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Binary, Int32, serialize, UUID, type Document } from 'bson';
import { gatherStats, type FieldStats } from '../../../../src/plan/infer/field-stats.ts';
import { double, rawDocument, rawString } from '../../../support/raw-bson.ts';

function gather(...documents: Document[]) {
  return gatherStats(documents.map((document) => serialize(document, { ignoreUndefined: true })));
}

function field(name: string, ...documents: Document[]): FieldStats {
  const found = gather(...documents).fields.get(name);
  assert.ok(found, `no field ${name}`);
  return found;
}

describe('gatherStats', () => {
  it('counts each type of a field, and the documents that have it', () => {
    const a = field('a', { a: new Int32(1) }, { a: 'x' }, { a: null }, {}, { a: new Int32(2) });
    assert.equal(a.count, 4);
    assert.deepEqual(Object.fromEntries(a.types), { int: 2, string: 1, null: 1 });
  });

  it('measures the longest string in bytes', () => {
    assert.equal(field('a', { a: 'xyz' }, { a: 'äöü' }, { a: 1 }).longestString, 6);
  });

  it('distinguishes a UUID from other binary data', () => {
    const a = field('a', { a: new UUID() }, { a: new Binary(Buffer.alloc(3), 4) }, { a: new Binary() });
    assert.deepEqual(Object.fromEntries(a.types), { uuid: 1, binData: 1, 'binData of subtype 4': 1 });
  });

  it('finds U+0000 in texts at any depth, and counts its documents', () => {
    const inside = { list: [{ text: 'a\0b' }, { text: '\0' }] };
    assert.equal(field('a', { a: '\0' }, { a: inside }, { a: 'fine' }, { a: { list: [1] } }).nulCount, 2);
    assert.equal(field('b', { a: '\0', b: 'fine' }).nulCount, 0);
  });

  it('follows embedded documents, and not the elements of arrays', () => {
    const { nested } = gather({ a: { b: { c: 'x', d: { tooDeep: 1 } } }, list: [{ x: 1 }] }, { a: { b: 1 } });
    assert.deepEqual(
      nested.map(({ path, count }) => [path.join('.'), count]),
      [
        ['a.b', 2],
        ['a.b.c', 1],
        ['a.b.d', 1],
      ],
    );
  });

  it('stops following where keys are data', () => {
    const keys = Object.fromEntries(Array.from({ length: 6000 }, (_, index) => [`k${index}`, 1]));
    assert.equal(gather({ byKey: keys }).nested.length, 5000);
  });

  it('counts a field that a document has twice once, with its first value', () => {
    const twice = rawDocument([
      [2, 'a', rawString('x')],
      [8, 'a', Buffer.of(1)],
    ]);
    const a = gatherStats([twice]).fields.get('a');
    assert.equal(a?.count, 1);
    assert.deepEqual([...a.types], [['string', 1]]);
  });

  it('skips a document that is corrupt anywhere, and counts it', () => {
    const corruptInside = rawDocument([
      [2, 'a', rawString('x')],
      [3, 'b', rawDocument([[8, 'x', Buffer.of(2)]])],
    ]);
    const stats = gatherStats([corruptInside, serialize({ _id: 1 })]);
    assert.deepEqual([stats.documents, stats.corrupt], [1, 1]);
    assert.deepEqual([...stats.fields.keys()], ['_id']);
  });

  it('skips a document that is nested too deep', () => {
    let deep: Buffer = rawDocument([]);
    for (let level = 0; level < 5000; level++) deep = rawDocument([[3, 'x', deep]]);
    assert.equal(gatherStats([deep]).corrupt, 1);
  });

  it('keeps names that JavaScript objects treat as special', () => {
    const raw = rawDocument([[1, '__proto__', double(1)]]);
    assert.equal(gatherStats([raw]).fields.get('__proto__')?.count, 1);
  });
});
