import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { deserialize, serialize, type Document } from 'bson';
import { BsonWriter } from '../../../../src/bson/bson-writer.ts';
import { buildDocument, textOf } from '../../../../src/bson/build.ts';
import { wrapBytes } from '../../../../src/bson/cursor.ts';
import type { FieldChange, ValueChange } from '../../../../src/transcode/plan.ts';
import { FieldChanges } from '../../../../src/transcode/transform/field-changes.ts';

function changeBytes(bytes: Uint8Array, changes: readonly FieldChange[]): Buffer {
  const writer = new BsonWriter();
  new FieldChanges(changes).writeListed(wrapBytes(bytes), 0, bytes.byteLength, writer);
  return Buffer.from(writer.bytes.subarray(2, writer.position));
}

function change(document: Document, ...changes: readonly FieldChange[]): Document {
  return deserialize(changeBytes(serialize(document), changes));
}

const on = (path: string, of: ValueChange, ...arrays: readonly string[]): FieldChange => ({
  path: path.split('.'),
  change: of,
  ...(arrays.length === 0 ? {} : { arrays: arrays.map((array) => array.split('.')) }),
});
const salted = (text: string): string => createHash('sha256').update(`s${text}`).digest('hex');
const byDefault = (v: unknown): ValueChange => ({ kind: 'default', value: JSON.stringify({ v }) });

describe('changed fields', () => {
  it('are converted to lower case, if they are texts', () => {
    assert.deepEqual(
      change({ a: 'ÀB', b: 'X', c: 7 }, on('a', { kind: 'lowercase' }), on('c', { kind: 'lowercase' })),
      {
        a: 'àb',
        b: 'X',
        c: 7,
      },
    );
  });

  it('are masked, with any type, unless there is no value', () => {
    const documents: readonly (readonly [unknown, string])[] = [
      ['ada@example.org', 'ada@example.org'],
      [36, '36'],
      [1.5, '1.5'],
      [true, 'true'],
      [new Date(0), '1970-01-01T00:00:00.000Z'],
      [{ b: 1 }, '{"b":{"$numberInt":"1"}}'],
    ];
    for (const [value, text] of documents) {
      assert.deepEqual(change({ a: value }, on('a', { kind: 'sha256', salt: 's' })), { a: salted(text) });
      assert.deepEqual(change({ a: value }, on('a', { kind: 'redact' })), { a: '***' });
    }
    for (const none of [{}, { a: null }]) {
      assert.deepEqual(change(none, on('a', { kind: 'sha256', salt: 's' })), none);
    }
  });

  it('show their last four characters, and nothing of shorter ones', () => {
    const last4 = on('a', { kind: 'last4' });
    assert.deepEqual(change({ a: '4111111111111111' }, last4), { a: '************1111' });
    assert.deepEqual(change({ a: 4_111_111 }, last4), { a: '***1111' });
    assert.deepEqual(change({ a: '🦊🦊🦊🦊🦊' }, last4), { a: '*🦊🦊🦊🦊' });
    assert.deepEqual(change({ a: '1234' }, last4), { a: '****' });
    assert.deepEqual(change({ a: [12345] }, last4), { a: '***' });
  });

  it('have a default if they are missing or null, also in a missing document', () => {
    assert.deepEqual(change({ _id: 1, a: null }, on('a', byDefault(7)), on('b.c', byDefault('x'))), {
      _id: 1,
      a: 7,
      b: { c: 'x' },
    });
    assert.deepEqual(
      change({ a: 0, b: { c: false, d: 1 } }, on('a', byDefault(7)), on('b.c', byDefault('x'))),
      {
        a: 0,
        b: { c: false, d: 1 },
      },
    );
    assert.deepEqual(change({ b: 'text' }, on('b.c', byDefault('x'))), { b: 'text' });
    assert.deepEqual(change({ b: null }, on('b.c', byDefault('x'))), { b: { c: 'x' } });
  });

  it('of elements of arrays are changed in each that is a document', () => {
    const changes = [on('name', { kind: 'redact' }, 'a.lines'), on('n', byDefault(0), 'a.lines')];
    assert.deepEqual(change({ a: { lines: [{ name: 'x' }, 7, { n: 1 }], other: 1 } }, ...changes), {
      a: { lines: [{ name: '***', n: 0 }, 7, { n: 1 }], other: 1 },
    });
    assert.deepEqual(change({ a: { lines: 'none' } }, ...changes), { a: { lines: 'none' } });
  });

  it('are masked also if a value does not fit the plan', () => {
    const hidden = on('n', { kind: 'redact' }, 'lines');
    assert.deepEqual(change({ lines: { n: 'x' } }, hidden), { lines: { n: '***' } });
    assert.deepEqual(change({ lines: [[{ n: 'x' }], 'y'] }, hidden), { lines: [[{ n: '***' }], 'y'] });
    const inside = on('a.b', { kind: 'redact' });
    assert.deepEqual(change({ a: [{ b: 'x' }, { c: 1 }, 7] }, inside, on('a.d', byDefault(1))), {
      a: [{ b: '***' }, { c: 1 }, 7],
    });
  });

  it('may be elements of an array, or a value in place of one', () => {
    const element: FieldChange = { path: [], arrays: [['tags']], change: { kind: 'redact' } };
    assert.deepEqual(change({ tags: ['x', 7, null, { y: 1 }, ['z']] }, element), {
      tags: ['***', '***', null, '***', ['***']],
    });
    assert.deepEqual(change({ tags: 'x' }, element), { tags: '***' });
  });

  it('of elements of elements are changed as well', () => {
    const deep = on('n', { kind: 'redact' }, 'a', 'b.c');
    assert.deepEqual(change({ a: [{ b: { c: [{ n: 'x' }] } }] }, deep), {
      a: [{ b: { c: [{ n: '***' }] } }],
    });
  });

  it('include all of that name, if a document has it twice', () => {
    const bytes = changeBytes(buildDocument(['a', textOf('one')], ['b', textOf('b')], ['a', textOf('two')]), [
      on('a', { kind: 'redact' }),
    ]);
    assert.deepEqual(bytes, buildDocument(['a', textOf('***')], ['b', textOf('b')], ['a', textOf('***')]));
  });

  it('get several changes in their order', () => {
    const changes = [
      on('a', { kind: 'lowercase' }),
      on('a', { kind: 'sha256', salt: 's' }),
      on('a', byDefault('none')),
    ];
    assert.deepEqual(change({ a: 'ADA' }, ...changes), { a: salted('ada') });
    assert.deepEqual(change({}, ...changes), { a: 'none' });
  });
});
