import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ObjectId } from 'bson';
import type { PlanConfig } from '../../../src/plan/infer-plan.ts';
import { makePlan } from '../../../src/plan/make-plan.ts';
import { chooseTable } from '../../../src/plan/plan-table.ts';
import { createFakeSource } from '../../support/fake-source.ts';
import type { PlanFile } from '../../../src/plan/file/plan-schema.ts';

const config: PlanConfig = {
  postgresSchema: 'public',
  sampleSize: 100,
  objectId: 'text',
  objectIdCollation: 'C',
  schema: 'columns',
  flatten: undefined,
  scalarArrays: 'table',
  requiredNotNull: false,
  jsonStyle: 'relaxed',
  nul: 'reject',
};
const settings = {
  collection: 'school.users',
  schema: 'public',
  table: 'users',
  jsonStyle: 'relaxed',
  nul: 'reject',
  objectIdCollation: 'C',
};
const table = { schema: 'public', table: 'users' };
const file: PlanFile = { columns: [{ column: 'id', path: '_id', type: 'json' }] };

describe('makePlan', () => {
  it('infers from a sample when there is no file', async () => {
    const source = createFakeSource([{ _id: 1, a: 'x' }, { late: 1 }]);
    const { plan, notices } = await makePlan(source, table, { ...config, sampleSize: 1 }, null, null);
    assert.deepEqual(plan, {
      ...settings,
      columns: [
        { field: '_id', column: '_id', type: 'int32' },
        { field: 'a', column: 'a', type: 'string' },
      ],
      extraColumn: '_extra',
    });
    assert.deepEqual(notices, []);
  });

  it('infers as the settings say', async () => {
    const source = createFakeSource([{ _id: new ObjectId(), a: 'x', b: 1 }], { requiredFields: ['a'] });
    const changed = {
      objectId: 'bytea',
      objectIdCollation: 'default',
      requiredNotNull: true,
      jsonStyle: 'plain',
      nul: 'strip',
    } as const;
    const { plan } = await makePlan(source, table, { ...config, ...changed }, null, null);
    assert.deepEqual(
      plan.columns.map(({ column, type, isRequired }) => [column, type, isRequired ?? false]),
      [
        ['_id', 'objectIdBytes', false],
        ['a', 'string', true],
        ['b', 'int32', false],
      ],
    );
    assert.deepEqual([plan.jsonStyle, plan.nul, plan.objectIdCollation], ['plain', 'strip', 'default']);
  });

  it('does not read required fields unless they become NOT NULL', async () => {
    const source = createFakeSource([{ _id: 1, a: 'x' }], { requiredFields: ['a'] });
    const { plan } = await makePlan(source, table, config, null, null);
    assert.ok(plan.columns.every(({ isRequired }) => isRequired === undefined));
  });

  it('keeps whole documents in the document layout', async () => {
    const { plan } = await makePlan(
      createFakeSource([{ _id: 1, a: 'x' }]),
      table,
      { ...config, schema: 'document' },
      null,
      null,
    );
    assert.deepEqual(plan, {
      ...settings,
      columns: [{ field: '_id', column: '_id', type: 'int32' }],
      extraColumn: 'document',
      keepsWhole: true,
    });
  });

  for (const [method, notice] of [
    ['spread', /no \$sample: .* 1 documents of all parts of the _id range/],
    ['ends', /no \$sample: .* the first and the last, 1 documents in all/],
  ] as const) {
    it(`reports that the sample is not random (${method})`, async () => {
      const { notices } = await makePlan(
        createFakeSource([{ _id: 1 }], { method }),
        table,
        config,
        null,
        null,
      );
      assert.equal(notices.length, 1);
      assert.match(notices[0] ?? '', notice);
    });
  }

  it('uses a file, without a sample', async () => {
    const source = { ...createFakeSource([]), sample: () => assert.fail('a sample was taken') };
    const { plan, notices } = await makePlan(source, table, config, file, null);
    assert.deepEqual(plan, {
      ...settings,
      columns: [{ field: '_id', column: 'id', type: 'json' }],
      extraColumn: '_extra',
    });
    assert.deepEqual(notices, []);
  });

  it('reports which settings the file overrides', async () => {
    const changed = { ...config, postgresSchema: 'staging', jsonStyle: 'plain', nul: 'strip' } as const;
    const { notices } = await makePlan(
      createFakeSource([]),
      table,
      changed,
      {
        ...file,
        schema: 'public',
        jsonStyle: 'plain',
        nul: 'reject',
      },
      null,
    );
    assert.deepEqual(notices, [
      'the plan says schema "public": POSTGRES_SCHEMA=staging is not used',
      'the plan says nul "reject": NUL=strip is not used',
    ]);
  });
});

describe('chooseTable', () => {
  it('takes the names of the file before those of the settings', () => {
    assert.deepEqual(chooseTable('public', 'users', null), { schema: 'public', table: 'users' });
    assert.deepEqual(chooseTable('public', 'users', file), { schema: 'public', table: 'users' });
    assert.deepEqual(chooseTable('public', 'users', { ...file, schema: 'app', table: 'people' }), {
      schema: 'app',
      table: 'people',
    });
  });
});
