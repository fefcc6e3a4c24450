import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Binary,
  Decimal128,
  Double,
  Int32,
  Long,
  ObjectId,
  serialize,
  Timestamp,
  UUID,
  type Document,
} from 'bson';
import { inferColumns } from '../../../../src/plan/infer/infer.ts';

async function typesOf(...documents: Document[]): Promise<Record<string, string>> {
  const { columns } = await inferColumns(documents.map((document) => serialize(document)));
  return Object.fromEntries(columns.map(({ field, type }) => [field, type]));
}

describe('inferColumns', () => {
  it('gives each common type its column', async () => {
    const types = await typesOf({
      _id: new ObjectId(),
      s: 'text',
      i: new Int32(1),
      l: Long.fromNumber(1),
      d: new Double(1),
      b: true,
      t: new Date(0),
    });
    assert.deepEqual(types, {
      _id: 'objectId',
      s: 'string',
      i: 'int32',
      l: 'int64',
      d: 'double',
      b: 'boolean',
      t: 'date',
    });
  });

  it('stores nested and rare types as jsonb', async () => {
    const types = await typesOf({ _id: 1, o: {}, a: [], t: new Timestamp(0n), r: /x/, n: null });
    assert.deepEqual(types, { _id: 'int32', o: 'json', a: 'json', t: 'json', r: 'json', n: 'json' });
  });

  for (const [name, a, b, widened] of [
    ['int and long', new Int32(1), Long.fromNumber(1), 'int64'],
    ['int and double', new Int32(1), new Double(1), 'double'],
    ['long and double', Long.fromNumber(1), new Double(1), 'decimal'],
    ['decimal and double', Decimal128.fromString('1'), new Double(1), 'decimal'],
    ['UUID and bytes', new UUID(), new Binary(), 'json'],
    ['int and string', new Int32(1), '1', 'json'],
    ['string and null', 'a', null, 'string'],
    ['string and object', 'a', {}, 'json'],
    ['ObjectId and string', new ObjectId(), 'a', 'json'],
  ] as const) {
    it(`widens ${name} to ${widened}, in either order`, async () => {
      assert.equal((await typesOf({ _id: 1, x: a }, { _id: 2, x: b })).x, widened);
      assert.equal((await typesOf({ _id: 1, x: b }, { _id: 2, x: a })).x, widened);
    });
  }

  it('has a primary key even if the sample shows none', async () => {
    assert.deepEqual(await typesOf({ a: 'x' }), { _id: 'json', a: 'string' });
    assert.deepEqual(await typesOf(), { _id: 'json' });
  });

  it('puts _id first and the fields in the order in which they were met', async () => {
    const types = await typesOf({ b: 1, _id: 1, a: 1 }, { _id: 2, c: 1, a: 1 });
    assert.deepEqual(Object.keys(types), ['_id', 'b', 'a', 'c']);
  });

  it('leaves the rarest fields without a column if there are more than Postgres allows', async () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`f${i}`, 1]));
    const { columns, extraColumn, notices } = await inferColumns([
      serialize({ _id: 1, ...many }),
      serialize({ _id: 2, f1999: 1 }),
    ]);
    assert.equal(columns.length, 1599);
    assert.ok(columns.some(({ field }) => field === 'f1999'));
    assert.ok(!columns.some(({ field }) => field === 'f1998'));
    assert.match(
      notices.join(),
      new RegExp(`402 rare fields have no column of their own and go to ${extraColumn}`),
    );
  });

  it('gives no column to fields that do not fit most rows, and puts the most frequent ones first', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 1_100 }, (_, i) => [`f${i}`, new Double(0.5)] as const),
    );
    const sample = [
      { _id: 1, ...many },
      { _id: 2, ...many },
      { _id: 3, late: true, f1099: new Double(1) },
    ];
    const { columns, notices } = await inferColumns(sample.map((document) => serialize(document)));
    const fields = columns.map(({ field }) => field);
    assert.deepEqual(fields.slice(0, 3), ['_id', 'f1099', 'f0']);
    // A value of `late` is in a row that it fits.
    assert.equal(fields.at(-1), 'late');
    assert.ok(fields.includes('f900') && !fields.includes('f1098'), String(fields.length));
    assert.match(notices.join(), /^\d+ rare fields have no column of their own/);
  });

  it('renames a field with the name of the extra column', async () => {
    const { extraColumn } = await inferColumns([serialize({ _id: 1, _extra: 1 })]);
    assert.notEqual(extraColumn, '_extra');
  });

  it('skips a corrupt document', async () => {
    const corrupt = serialize({ _id: 1, a: 'x' }).subarray(0, 12);
    const { columns } = await inferColumns([corrupt, serialize({ _id: 1, b: 'x' })]);
    assert.deepEqual(
      columns.map(({ field }) => field),
      ['_id', 'b'],
    );
  });

  it('treats null as a value in an _id', async () => {
    assert.equal((await typesOf({ _id: 1 }, { _id: null }))._id, 'json');
  });

  it('keeps an ObjectId as bytes if requested', async () => {
    const sample = [serialize({ _id: new ObjectId(), other: new ObjectId(), text: 'x' })];
    const { columns } = await inferColumns(sample, { objectId: 'bytea' });
    assert.deepEqual(
      columns.map(({ type }) => type),
      ['objectIdBytes', 'objectIdBytes', 'string'],
    );
  });

  it('gives the document layout only an _id and the whole document', async () => {
    const { notices, stats, ...inferred } = await inferColumns([serialize({ _id: 1, a: 1, '': 1 })], {
      layout: 'document',
    });
    assert.deepEqual(inferred, {
      columns: [{ field: '_id', column: '_id', type: 'int32' }],
      extraColumn: 'document',
      keepsWhole: true,
    });
    assert.deepEqual(notices, []);
    assert.equal(stats.documents, 1);
  });

  it('makes a required field NOT NULL only if the sample agrees', async () => {
    const sample = [
      { _id: 1, always: 1, sometimes: 1, nullable: 1, free: 1 },
      { _id: 2, always: 1, nullable: null, free: 1 },
    ].map((document) => serialize(document));
    const requiredFields = ['_id', 'always', 'sometimes', 'nullable', 'never'];
    const { columns, notices } = await inferColumns(sample, { requiredFields });
    assert.deepEqual(
      columns.filter(({ isRequired }) => isRequired).map(({ field }) => field),
      ['always'],
    );
    for (const name of ['sometimes', 'nullable']) {
      assert.match(
        notices.join('\n'),
        new RegExp(`the validator requires "${name}", but a document without`),
      );
    }
    assert.equal(notices.length, 2);
  });
});
