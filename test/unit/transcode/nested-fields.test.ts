import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize, type Document } from 'bson';
import type { Plan, PlanColumn } from '../../../src/transcode/plan.ts';
import { arrayOfDocuments } from '../../../src/bson/array.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { decodeRows } from '../../support/copy-decoder.ts';

const id: PlanColumn = { field: '_id', column: '_id', type: 'int32' };
const city: PlanColumn = { field: 'address', path: ['city'], column: 'city', type: 'string' };
const floor: PlanColumn = { field: 'address', path: ['house', 'floor'], column: 'floor', type: 'int32' };

function encode(documents: readonly Document[], columns: readonly PlanColumn[], more: Partial<Plan> = {}) {
  const plan: Plan = {
    collection: 'c',
    schema: 's',
    table: 't',
    columns,
    extraColumn: '_extra',
    ...more,
  };
  const batch = createRowEncoder(plan).encodeBatch(
    arrayOfDocuments(documents.map((document) => serialize(document))),
  );
  const isJson = [...columns.map(({ type }) => type === 'json'), true];
  const names = [...columns.map(({ column }) => column), '_extra'];
  // In the order of the columns, with jsonb as what it says.
  const rows = decodeRows(batch.copy, plan).map((row) =>
    names.map((name, index) => {
      const field = row[name];
      return isJson[index] === true && typeof field === 'string' ? (JSON.parse(field) as unknown) : field;
    }),
  );
  return { ...batch, rows };
}

describe('values from inside a field', () => {
  it('go to their columns, and the field is stored as before', () => {
    const address: PlanColumn = { field: 'address', column: 'address', type: 'json' };
    const document = { _id: 1, address: { house: { floor: 3 }, city: 'Rome' } };
    const { rows } = encode([document], [id, city, floor, address]);
    assert.deepEqual(rows, [[1, 'Rome', 3, { house: { floor: 3 }, city: 'Rome' }, null]]);
  });

  it('leave their field in the extra column if the plan does not map it', () => {
    const { rows, extra } = encode([{ _id: 1, address: { city: 'Rome' } }], [id, city]);
    assert.deepEqual(rows, [[1, 'Rome', { address: { city: 'Rome' } }]]);
    assert.deepEqual(extra, [{ field: 'address', type: 'object', reason: 'no_column', count: 1 }]);
  });

  it('are NULL if their path does not exist', () => {
    const documents = [
      { _id: 1 },
      { _id: 2, address: null },
      { _id: 3, address: 'Rome' },
      { _id: 4, address: { house: 7 } },
      { _id: 5, address: [{ city: 'Rome' }] },
    ];
    const { rows } = encode(documents, [id, city, floor], { dropped: ['address'] });
    assert.deepEqual(
      rows,
      documents.map(({ _id }) => [_id, null, null, null]),
    );
  });

  it('are reset for each document', () => {
    const documents = [{ _id: 1, address: { city: 'Rome' } }, { _id: 2, address: {} }, { _id: 3 }];
    const { rows } = encode(documents, [id, city], { dropped: ['address'] });
    assert.deepEqual(rows, [
      [1, 'Rome', null],
      [2, null, null],
      [3, null, null],
    ]);
  });

  it('go to the extra column under their whole path where they do not fit', () => {
    const { rows, extra } = encode([{ _id: 1, address: { city: 7 } }], [id, city], { dropped: ['address'] });
    assert.deepEqual(rows, [[1, null, { 'address.city': 7 }]]);
    assert.deepEqual(
      extra.map(({ field, reason }) => [field, reason]),
      [
        ['address', 'dropped'],
        ['address.city', 'does_not_fit'],
      ],
    );
  });

  it('are not confused with a field whose name has a dot', () => {
    const { rows } = encode([{ _id: 1, 'address.city': 'A', address: { city: 'B' } }], [id, city], {
      dropped: ['address'],
    });
    assert.deepEqual(rows, [[1, 'B', { 'address.city': 'A' }]]);
  });

  it('make a dead letter of a document that has two values for one key of the extra column', () => {
    const { deadLetters } = encode([{ _id: 1, 'address.city': 'A', address: { city: 7 } }], [id, city]);
    assert.deepEqual(
      deadLetters.map(({ reason }) => reason),
      ['duplicate_extra'],
    );
  });
});

describe('fields that are dropped', () => {
  it('are in no column, and counted', () => {
    const { rows, extra } = encode([{ _id: 1, secret: 'x', other: 1 }], [id], {
      dropped: ['secret', 'gone'],
    });
    assert.deepEqual(rows, [[1, { other: 1 }]]);
    assert.deepEqual(extra, [
      { field: 'secret', type: 'string', reason: 'dropped', count: 1 },
      { field: 'other', type: 'int', reason: 'no_column', count: 1 },
    ]);
  });

  it('are not in the whole document either', () => {
    const { rows } = encode([{ _id: 1, secret: 'x', other: 1 }], [id], {
      dropped: ['secret'],
      keepsWhole: true,
    });
    assert.deepEqual(rows, [[1, { _id: 1, other: 1 }]]);
  });
});

describe('columns that are required', () => {
  const name: PlanColumn = { field: 'name', column: 'name', type: 'string', isRequired: true };
  for (const [what, document] of [
    ['is missing', { _id: 1 }],
    ['is null', { _id: 1, name: null }],
    ['does not fit its column', { _id: 1, name: 7 }],
  ] as const) {
    it(`make a dead letter of a document whose value ${what}`, () => {
      const { deadLetters, rowCount } = encode([document, { _id: 2, name: 'x' }], [id, name]);
      assert.equal(rowCount, 1);
      assert.deepEqual(
        deadLetters.map(({ ordinal, reason, column, detail }) => [ordinal, reason, column, detail]),
        [[0, 'required', 'name', `the required value of "name" ${what}`]],
      );
    });
  }

  it('of a flattened document go to the extra column as a misfit where the field is something else', () => {
    const { rows, extra } = encode([{ _id: 1, address: 'Rome' }], [id, city], { flattened: [['address']] });
    assert.deepEqual(rows, [[1, null, { address: 'Rome' }]]);
    assert.deepEqual(extra, [{ field: 'address', type: 'string', reason: 'does_not_fit', count: 1 }]);
  });

  it('of a flattened document without an extra column need a document', () => {
    const more = { flattened: [['address']], extraColumn: null };
    const { deadLetters } = encode([{ _id: 1, address: 'Rome' }], [id, city], more);
    assert.deepEqual(
      deadLetters.map(({ reason, detail }) => [reason, detail]),
      [['does_not_fit', 'the field "address" is not a document, as its columns require at byte 14']],
    );
  });
});
