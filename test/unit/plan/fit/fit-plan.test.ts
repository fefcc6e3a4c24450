import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serialize } from 'bson';
import type { ColumnTarget, ExistingTable, TableColumn } from '../../../../src/transcode/column-target.ts';
import { gatherStats } from '../../../../src/plan/infer/field-stats.ts';
import { findUnmappedFields, fitPlan, listFields } from '../../../../src/plan/fit/fit-plan.ts';
import type { Plan } from '../../../../src/transcode/plan.ts';
import { makePlan } from '../../../support/raw-bson.ts';

const integer: ColumnTarget = { kind: 'int4', name: 'integer', stage: 'integer' };
const text: ColumnTarget = { kind: 'text', name: 'text', stage: 'text' };
const jsonb: ColumnTarget = { kind: 'jsonb', name: 'jsonb', stage: 'jsonb' };

function column(name: string, target: ColumnTarget | null, rest: Partial<TableColumn> = {}): TableColumn {
  const typeName = target?.name ?? '"char"';
  return { column: name, target, typeName, isNotNull: false, hasDefault: false, isGenerated: false, ...rest };
}

function table(...columns: TableColumn[]): ExistingTable {
  return { columns, isOwn: false };
}

const id = column('_id', integer);
const extra = column('_extra', jsonb);
const plan = makePlan({ _id: 'int32', name: 'string' });

function columnsOf({ columns }: Plan): unknown[] {
  return columns.map(({ field, type, target }) => [field, type, target?.kind]);
}

describe('fitPlan', () => {
  it('uses the types of the table, and reports where the sample has others', () => {
    const { plan: fitted, notices } = fitPlan(plan, table(id, column('name', integer), extra), true);
    assert.deepEqual(columnsOf(fitted), [
      ['_id', 'int32', 'int4'],
      ['name', 'int32', 'int4'],
    ]);
    assert.deepEqual(notices, [
      'the field "name" is of the type string in the sample, and its column is integer',
    ]);
  });

  it('does not change a table of an earlier run, as long as its columns are the same', () => {
    const own = { ...table(id, column('name', text), extra), isOwn: true };
    assert.deepEqual(fitPlan(plan, own, true).plan, plan);
    const changed = { ...table(column('_id', text), column('name', text), extra), isOwn: true };
    assert.deepEqual(columnsOf(fitPlan(plan, changed, true).plan), [
      ['_id', 'string', 'text'],
      ['name', 'string', undefined],
    ]);
  });

  it('adds columns that the sample does not have, and omits fields without a column', () => {
    const late = [column('late', text), column('filled', text, { hasDefault: true })];
    const { plan: fitted, notices, mistakes } = fitPlan(plan, table(id, ...late, extra), true);
    assert.deepEqual(columnsOf(fitted), [
      ['_id', 'int32', 'int4'],
      ['late', 'string', 'text'],
    ]);
    assert.deepEqual(mistakes, []);
    assert.deepEqual(notices, ['filled by default, as no field is for them: "filled"']);
  });

  it('does not add columns to a plan file', () => {
    const { plan: fitted } = fitPlan(
      plan,
      table(id, column('name', text), column('late', text), extra),
      false,
    );
    assert.deepEqual(columnsOf(fitted), [
      ['_id', 'int32', 'int4'],
      ['name', 'string', 'text'],
    ]);
  });

  it('does without an extra column, unless the plan depends on it', () => {
    const bare = table(id, column('name', text));
    assert.equal(fitPlan(plan, bare, true).plan.extraColumn, null);
    assert.equal(fitPlan(plan, bare, false).plan.extraColumn, null);
    const named = { ...plan, extraColumn: 'rest' };
    assert.deepEqual(fitPlan(named, bare, false).mistakes, ['"rest" (jsonb) is missing']);
    const whole = { ...plan, extraColumn: 'document', keepsWhole: true } as const;
    assert.deepEqual(fitPlan(whole, table(id, column('document', text)), true).mistakes, [
      '"document" is text, not jsonb',
    ]);
  });

  it('uses an extra column that was added to the table later', () => {
    const without = { ...plan, extraColumn: null };
    assert.equal(fitPlan(without, table(id, column('name', text), extra), false).plan.extraColumn, '_extra');
  });

  for (const [what, columns, isInferred, mistake] of [
    ['a missing column', [id], false, '"name" (text) is missing'],
    [
      'a column of another type',
      [id, column('name', integer)],
      false,
      '"name" is integer, which has no values of the type string',
    ],
    [
      'a generated column',
      [id, column('name', text, { isGenerated: true })],
      false,
      '"name" is GENERATED ALWAYS, and takes no values',
    ],
    [
      'a type that changes values',
      [id, column('name', null)],
      true,
      '"name" is "char", which changes values without saying so',
    ],
    [
      'a required column without a field',
      [id, column('name', text), column('tenant', text, { isNotNull: true })],
      true,
      '"tenant" is NOT NULL without a default, and no field of the sample has its name',
    ],
    [
      'a required column without an entry',
      [id, column('name', text), column('tenant', text, { isNotNull: true })],
      false,
      '"tenant" is NOT NULL without a default, and the plan has no entry for it',
    ],
  ] as const) {
    it(`finds ${what}`, () => {
      assert.deepEqual(fitPlan(plan, table(...columns), isInferred).mistakes, [mistake]);
    });
  }
});

describe('findUnmappedFields', () => {
  const stats = gatherStats([serialize({ _id: 1, name: 'x', address: { city: 'y' }, nick: 'z' })]);

  it('lists fields with neither a column nor an extra column, and not dropped', () => {
    const bare: Plan = {
      ...plan,
      columns: [...plan.columns, { field: 'address', path: ['city'], column: 'city', type: 'string' }],
      extraColumn: null,
      dropped: ['nick'],
    };
    assert.deepEqual(findUnmappedFields(bare, stats), ['address']);
    assert.deepEqual(findUnmappedFields({ ...bare, extraColumn: '_extra' }, stats), []);
  });

  it('are named up to a readable length', () => {
    const names = Array.from({ length: 12 }, (_, index) => `f${index}`);
    assert.match(listFields(names), /^"f0", .*"f9" and 2 more$/);
  });
});
