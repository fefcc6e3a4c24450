import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { analyzeStatement, createTableStatement } from '../../../../src/postgres/table/ddl.ts';
import type { Plan } from '../../../../src/transcode/plan.ts';
import { makePlan } from '../../../support/raw-bson.ts';

const plan: Plan = {
  ...makePlan({ _id: 'objectId', name: 'string', lines: 'json', customer: 'objectId' }),
  objectIdCollation: 'C',
};

describe('createTableStatement', () => {
  it('has ObjectIds as text compared by bytes, and no other text', () => {
    assert.match(createTableStatement(plan), /"_id" text COLLATE "C" NOT NULL,\n {2}"name" text,/);
    assert.match(createTableStatement(plan), /"customer" text COLLATE "C",/);
  });

  it('keeps the collation of the database if the plan does, or has none', () => {
    assert.doesNotMatch(createTableStatement({ ...plan, objectIdCollation: 'default' }), /COLLATE/);
    assert.doesNotMatch(createTableStatement(makePlan({ _id: 'objectId' })), /COLLATE/);
  });
});

describe('analyzeStatement', () => {
  it('leaves jsonb out, but for the key', () => {
    assert.equal(analyzeStatement(plan), 'ANALYZE "public"."things" ("_id", "name", "customer")');
    assert.equal(analyzeStatement(makePlan({ _id: 'json' })), 'ANALYZE "public"."things" ("_id")');
  });

  it('analyzes existing tables whole, and child tables as well', () => {
    const target = { kind: 'text', name: 'text', stage: 'text' } as const;
    const [id, ...others] = plan.columns;
    assert.ok(id);
    const child = { ...makePlan({ _id: 'json', sku: 'string', more: 'json' }), table: 'lines' };
    const existing = { ...plan, columns: [{ ...id, target }, ...others] };
    assert.equal(
      analyzeStatement({ ...existing, children: [{ field: 'lines', plan: child }] }),
      'ANALYZE "public"."things", "public"."lines" ("_id", "sku")',
    );
  });
});
