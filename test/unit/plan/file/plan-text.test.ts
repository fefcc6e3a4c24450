import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ObjectId, type Document } from 'bson';
import { inferPlan, type PlanConfig } from '../../../../src/plan/infer-plan.ts';
import { checkPlanFile } from '../../../../src/plan/file/plan-file.ts';
import { formatPlanFile, writePlanFile } from '../../../../src/plan/file/plan-text.ts';
import { resolvePlan } from '../../../../src/plan/file/resolve-plan.ts';
import { createFakeSource } from '../../../support/fake-source.ts';

const config: PlanConfig = {
  postgresSchema: 'public',
  sampleSize: 1000,
  objectId: 'text',
  objectIdCollation: 'C',
  schema: 'columns',
  flatten: undefined,
  scalarArrays: 'table',
  requiredNotNull: true,
  jsonStyle: 'relaxed',
  nul: 'reject',
};

const table = { schema: 'public', table: 'users' };

async function write(documents: Document[], changed: Partial<PlanConfig> = {}) {
  const source = createFakeSource(documents, { requiredFields: ['name'] });
  const { objectId } = { ...config, ...changed };
  const made = await inferPlan(source, table, { ...config, ...changed });
  const file = writePlanFile(made, {
    objectId,
    schemaReference: './plan.schema.json',
    folder: '/',
    total: 2000,
  });
  return { made, file, text: formatPlanFile(file) };
}

describe('a plan as a file', () => {
  it('has one entry per line, with what the sample has', async () => {
    const { text } = await write([
      { _id: 1, name: 'Ada', address: { city: 'London', 'a.b': 1 }, 'dotted.name': true },
      { _id: 2, name: 'Alan', address: null },
    ]);
    assert.equal(
      text,
      `{
  "$schema": "./plan.schema.json",
  "collection": "school.users",
  "sampled": "2 of about 2,000 documents, chosen at random",
  "schema": "public",
  "table": "users",
  "jsonStyle": "relaxed",
  "nul": "reject",
  "objectIdCollation": "C",
  "columns": [
    { "column": "_id", "path": "_id", "type": "int32", "seen": "int 100%" },
    { "column": "name", "path": "name", "type": "string", "notNull": true, "seen": "string 100%; longest 4 bytes" },
    { "column": "address", "path": "address", "type": "json", "seen": "object 50%, null 50%" },
    { "column": "dotted.name", "path": ["dotted.name"], "type": "boolean", "seen": "bool 50%, missing 50%" }
  ],
  "extraColumn": "_extra",
  "drop": [],
  "nested": [
    { "path": "address.city", "type": "string", "seen": "string 50%, missing 50%; longest 6 bytes" },
    { "path": ["address","a.b"], "type": "int32", "seen": "int 50%, missing 50%" }
  ]
}
`,
    );
  });

  for (const layout of ['columns', 'document'] as const) {
    it(`gives the same plan when it is read again (${layout})`, async () => {
      const documents = [{ _id: new ObjectId(), name: 'x', '': 1, 'a.b': 'x', ['y'.repeat(70)]: 1, ctid: 1 }];
      const { made, text } = await write(documents, { schema: layout, objectId: 'bytea' });
      const read = checkPlanFile(JSON.parse(text), 'plan.json');
      const { collection, schema, table } = made.plan;
      assert.deepEqual(resolvePlan(read, { collection, schema, table }), made.plan);
    });
  }

  it('gives an ObjectId inside of a document the same type as one outside', async () => {
    const { file } = await write([{ _id: 1, a: { ref: new ObjectId() } }], { objectId: 'bytea' });
    assert.deepEqual(
      file.nested?.map(({ type }) => type),
      ['objectIdBytes'],
    );
  });

  it('lists the most frequent of very many nested fields, in the order in which they were met', async () => {
    const byKey = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, 1]));
    const { file } = await write([
      { _id: 1, byKey },
      { _id: 2, byKey: { k299: 1 } },
    ]);
    const paths = file.nested?.map(({ path }) => path) ?? [];
    assert.equal(paths.length, 200);
    assert.equal(paths[0], 'byKey.k0');
    assert.equal(paths.at(-1), 'byKey.k299');
  });
});
