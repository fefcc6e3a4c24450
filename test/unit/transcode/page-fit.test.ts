import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize, type Document } from 'bson';
import type { Plan } from '../../../src/transcode/plan.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { decodeRows } from '../../support/copy-decoder.ts';
import { makePlan, rawArray } from '../../support/raw-bson.ts';
import type { ColumnType } from '../../../src/transcode/column-types/names.ts';

const names = Array.from({ length: 1_500 }, (_, index) => `f${index}`);

function wide(type: ColumnType, change: Partial<Plan> = {}): Plan {
  return {
    ...makePlan({ _id: 'int32', ...Object.fromEntries(names.map((name) => [name, type])) }),
    ...change,
  };
}

const full = (value: unknown): Document => ({
  _id: 1,
  ...Object.fromEntries(names.map((name) => [name, value])),
});

function encode(plan: Plan, ...documents: Document[]) {
  const encoded = createRowEncoder(plan).encodeBatch(
    rawArray(documents.map((document) => serialize(document))),
  );
  return { ...encoded, rows: plan.extraColumn === null ? [] : decodeRows(encoded.copy, plan) };
}

describe('a row that does not fit a page', () => {
  it('keeps the values of its first columns; those of the last go to the extra column, each counted', () => {
    const { rows, extra, deadLetters } = encode(wide('double'), { _id: 0, f1499: 0.5 }, full(0.5));
    assert.deepEqual(deadLetters, []);
    const [narrow, row] = rows;
    assert.equal(narrow?._extra, null);
    assert.notEqual(narrow.f1499, null);
    // 8,160 bytes, without the header, the _id and the extra column.
    const kept = names.filter((name) => row?.[name] !== null);
    assert.deepEqual(kept, names.slice(0, Math.floor((8160 - 216 - 8 - 24) / 8)));
    const moved = names.slice(kept.length);
    assert.deepEqual(
      JSON.parse(String(row?._extra)),
      Object.fromEntries(moved.map((name) => [name, 0.5]).reverse()),
    );
    assert.deepEqual(
      extra.map(({ field, reason, count }) => [field, reason, count]),
      moved.map((name) => [name, 'row_too_wide', 1]).reverse(),
    );
  });

  it('is unchanged if its values are short', () => {
    const { rows, extra } = encode(wide('string'), full('xyz'));
    assert.deepEqual(extra, []);
    assert.equal(rows[0]?.f1499, 'xyz');
  });

  it('keeps values of NOT NULL columns', () => {
    const plan = wide('string');
    const columns = plan.columns.map((column) =>
      column.field === 'f1499' ? ({ ...column, isRequired: true } as const) : column,
    );
    const { rows } = encode({ ...plan, columns }, full('a text of more than thirty-two bytes'));
    assert.equal(rows[0]?.f1499, 'a text of more than thirty-two bytes');
    assert.equal(rows[0].f1498, null);
  });

  it('of a child table as well, beside the key of its document', () => {
    const own = makePlan({ _id: 'string' });
    const leading = makePlan({ parent_id: 'string', ordinal: 'int32' }).columns;
    const lines = {
      ...makePlan({}),
      table: 'lines',
      columns: [...leading, ...wide('double').columns.slice(1)],
    };
    const { _id, ...line } = full(0.5);
    const plan = { ...own, children: [{ field: 'lines', plan: lines }] };
    const { children, extra } = encode(plan, { _id: 'x', lines: [{ f1499: 0.5 }, line] });
    const [narrow, row] = decodeRows(children[0]?.copy ?? Buffer.alloc(0), lines);
    assert.equal(_id, 1);
    assert.notEqual(narrow?.f1499, null);
    assert.deepEqual([row?.parent_id, row?.ordinal, row?.f1499], ['x', 1, null]);
    assert.notEqual(row?.f0, null);
    assert.deepEqual(
      extra.find(({ reason }) => reason === 'row_too_wide'),
      { field: 'lines[].f1499', type: 'double', reason: 'row_too_wide', count: 1 },
    );
  });

  it('is left to Postgres without an extra column', () => {
    const { rowCount, extra } = encode(wide('double', { extraColumn: null }), full(0.5));
    assert.deepEqual([rowCount, extra], [1, []]);
  });
});
