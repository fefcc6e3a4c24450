import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Document } from 'bson';
import { inferPlan, type PlanConfig } from '../../../../src/plan/infer-plan.ts';
import { findRisks } from '../../../../src/plan/infer/risks.ts';
import { createFakeSource } from '../../../support/fake-source.ts';

const config: PlanConfig = {
  postgresSchema: 'public',
  sampleSize: 1000,
  objectId: 'text',
  objectIdCollation: 'C',
  schema: 'columns',
  flatten: undefined,
  scalarArrays: 'table',
  requiredNotNull: false,
  jsonStyle: 'relaxed',
  nul: 'reject',
};

const table = { schema: 'public', table: 'users' };

async function risksOf(documents: Document[], changed: Partial<PlanConfig> = {}): Promise<string[]> {
  return findRisks(await inferPlan(createFakeSource(documents), table, { ...config, ...changed }));
}

const many = (count: number, make: (index: number) => Document): Document[] =>
  Array.from({ length: count }, (_, index) => ({ _id: index, ...make(index) }));

describe('findRisks', () => {
  it('finds none in a plain sample', async () => {
    assert.deepEqual(await risksOf(many(50, () => ({ name: 'x', age: 1 }))), []);
  });

  it('finds mixed types and changed names, as a run does', async () => {
    const risks = await risksOf([
      { _id: 1, a: 1, ctid: 1 },
      { _id: 2, a: 'x', ctid: 1 },
    ]);
    assert.equal(risks.length, 2);
    assert.match(risks[0] ?? '', /^the field "a" has several types \(int, string\) and becomes jsonb$/);
    assert.match(risks[1] ?? '', /^the field "ctid" goes to the column "ctid_[0-9a-f]{8}"$/);
  });

  it('names mixed types by their frequency, whatever the order of a random sample', async () => {
    const numbersBefore = [{ _id: 1, a: 'x' }, ...many(2, (index) => ({ _id: index + 2, a: 1 }))];
    const textsBefore = [{ _id: 4, a: 'y' }, ...numbersBefore, { _id: 5, a: null }];
    assert.match((await risksOf(numbersBefore)).join(), /several types \(int, string\)/);
    assert.match((await risksOf(textsBefore)).join(), /several types \(int, string\)/);
    const more = [{ _id: 6, a: 'z' }];
    assert.match((await risksOf([...textsBefore, ...more])).join(), /several types \(string, int\)/);
  });

  it('finds U+0000, and says how it is handled', async () => {
    const documents = many(10, (index) => ({ a: index === 0 ? { text: 'x\0' } : null }));
    assert.deepEqual(await risksOf(documents), [
      'the field "a" has U+0000 in 10% of the documents, which Postgres cannot store: such a document becomes a dead letter; --nul strip or replace keeps it',
    ]);
    assert.match((await risksOf(documents, { nul: 'strip' })).join(), /cannot store: --nul strip$/);
    assert.match((await risksOf(documents, { schema: 'document' })).join(), /^the field "a" has U\+0000/);
  });

  it('finds an _id that is too long for an index', async () => {
    assert.match((await risksOf([{ _id: 'x'.repeat(3000) }])).join(), /^an _id of 3,000 bytes/);
    assert.deepEqual(await risksOf([{ _id: 'x'.repeat(2704) }]), []);
  });

  it('finds fields that are always null', async () => {
    assert.deepEqual(await risksOf([{ _id: 1, a: null, b: null, c: 1 }]), [
      'always null, so that jsonb is a guess: "a", "b"',
    ]);
  });

  it('finds fields that were seen once, if the sample is not small', async () => {
    const documents = many(20, (index) => (index < 7 ? { [`rare${index}`]: 1 } : {}));
    assert.deepEqual(await risksOf(documents), [
      'seen in one document only: "rare0", "rare1", "rare2", "rare3", "rare4" and 2 more; without an entry in the plan such a field goes to the extra column',
    ]);
    assert.deepEqual(await risksOf(documents.slice(0, 19)), []);
    assert.deepEqual(await risksOf(documents, { schema: 'document' }), []);
  });

  it('finds names that differ only in case', async () => {
    assert.deepEqual(await risksOf([{ _id: 1, Name: 1, name: 1, other: 1 }]), [
      'only case distinguishes the columns "Name", "name": quote them in SQL',
    ]);
  });

  it('finds a table that is too wide for full rows, or for Postgres', async () => {
    const wide = (count: number): Document => ({
      _id: 1,
      ...Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, 'x'])),
    });
    assert.deepEqual(await risksOf([wide(300)]), []);
    assert.match((await risksOf([wide(400)])).join(), /^401 columns: a row .* may not fit a page/);
    assert.match(
      (await risksOf([wide(1700)])).join('\n'),
      /^102 rare fields have no column.*\n1,599 columns/,
    );
  });
});
