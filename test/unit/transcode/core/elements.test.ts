import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Int32, serialize } from 'bson';
import { maxKeyColumns } from '../../../../src/common/identifiers.ts';
import { createRandom } from '../../../../src/common/random.ts';
import type { Plan, PlanColumn } from '../../../../src/transcode/plan.ts';
import { makePlan, rawArray } from '../../../support/raw-bson.ts';
import { makeNestedCase } from '../../../support/random-nested.ts';
import { compared, TwinEncoder } from '../../../support/twin-encoder.ts';

const key = makePlan({ _id: 'int32', place: 'int32' });
const plan: Plan = {
  ...makePlan({ _id: 'int32', name: 'string' }),
  flattened: [['inside']],
  children: [
    {
      field: 'tags',
      keepsEmpty: true,
      plan: {
        ...key,
        table: 'tags',
        columns: [...key.columns, { field: '', column: 'value', type: 'string', isElement: true }],
      },
    },
    {
      field: 'inside',
      path: ['lines'],
      keepsEmpty: true,
      plan: { ...makePlan({ _id: 'int32', place: 'int32', sku: 'string' }), table: 'lines' },
    },
    { field: 'inside', path: ['notes'], plan: { ...key, table: 'notes' } },
  ],
};

/** How many of the documents the core has encoded, and the same as the encoder in TypeScript. */
function countByCore(documents: readonly object[], of = plan): number {
  const before = compared.byCore;
  const raw = documents.map((fields, index) => serialize({ _id: new Int32(index + 1), ...fields }));
  new TwinEncoder(of).encodeBatch(rawArray(raw.map((document) => Buffer.from(document))));
  return compared.byCore - before;
}

describe('elements in the core', () => {
  it('are encoded as in TypeScript, many of them by the core', () => {
    const before = { ...compared };
    for (let seed = 1; seed <= 30; seed++) {
      const { plan, make } = makeNestedCase(createRandom(seed));
      const twin = new TwinEncoder(plan);
      for (let batch = 0; batch < 2; batch++) twin.encodeBatch(rawArray(Array.from({ length: 50 }, make)));
    }
    assert.equal(compared.documents - before.documents, 3000);
    const byCore = compared.byCore - before.byCore;
    assert.ok(byCore > 1800, `only ${byCore} by the core`);
  });

  it('may be other values than documents, with a column for them', () => {
    const documents = [
      { tags: ['a', 'b'] },
      { tags: ['a', 1, null, ['x'], 'b'] },
      { tags: 'none', name: 'n' },
      { tags: null },
      { tags: [{}] },
    ];
    assert.equal(countByCore(documents), documents.length);
  });

  it('distinguish empty arrays from missing ones if the plan says so', () => {
    const documents = [
      { tags: [], inside: { lines: [] } },
      { tags: [], inside: { lines: [{ sku: 'x' }], notes: [] } },
      { inside: { notes: [] } },
      { inside: { notes: [1], lines: 'none' } },
      { inside: { notes: 5 } },
    ];
    assert.equal(countByCore(documents), documents.length);
  });

  it('are dead letters without an extra column', () => {
    const [tags, ...others] = plan.children ?? [];
    assert.ok(tags !== undefined);
    const children = [{ ...tags, plan: { ...tags.plan, extraColumn: null } }, ...others];
    const documents = [{ tags: ['a', null] }, { tags: ['a', 1] }, { tags: ['b'] }];
    assert.equal(countByCore(documents, { ...plan, children }), 2);
    assert.equal(countByCore([{ tags: [] }, { tags: ['a'] }], { ...plan, extraColumn: null }), 1);
  });

  it('may have arrays with tables inside', () => {
    const nested = nest(3);
    const documents = [
      { a: [{ a: [{ a: [{}, 1, null] }, { a: [] }] }, { a: [{ a: [{ b: 1 }] }] }] },
      { a: [{ a: 5 }, { a: [5, { a: 'x' }] }, { a: [[{ a: [] }]] }] },
      { a: [] },
      { a: [{ a: null, b: { a: [1] } }] },
    ];
    // Two have names that are new.
    assert.equal(countByCore(documents, nested), 2);
  });

  it('go as deep as PostgreSQL has columns in a key', () => {
    const deepest = (value: unknown): object => {
      let document: unknown = value;
      for (let depth = 0; depth < maxKeyColumns - 1; depth++) document = { a: [document] };
      return document as object;
    };
    assert.equal(countByCore([deepest({}), deepest(1)], nest(maxKeyColumns - 1)), 2);
  });

  it('may be in as many tables as are inferred from a sample', () => {
    const names = Array.from({ length: 100 }, (_, i) => `array ${i}`);
    const children = names.map((field) => ({ field, plan: nest(0, ['_id', 'place']) }));
    const documents = [Object.fromEntries(names.map((name, i) => [name, [{}, i]]))];
    assert.equal(countByCore(documents, { ...makePlan({ _id: 'int32' }), children }), 1);
  });

  it('are taken back in all tables where one is refused', () => {
    const documents = [
      { a: [{ a: [{ a: [1] }] }] },
      { a: [{ a: [{ a: [1] }] }, { a: [{ a: [{ new: 1 }] }] }] },
      { a: [{ a: [{ a: [2] }] }] },
    ];
    assert.equal(countByCore(documents, nest(3)), 2);
  });
});

/** Tables of arrays in a field `a` of each other's elements. */
function nest(depth: number, around = ['_id']): Plan {
  const columns = around.map((column): PlanColumn => ({ field: column, column, type: 'int32' }));
  const child = depth === 0 ? [] : [{ field: 'a', plan: nest(depth - 1, [...around, `place${depth}`]) }];
  return { ...makePlan({}), table: `depth ${depth}`, columns, children: child };
}
