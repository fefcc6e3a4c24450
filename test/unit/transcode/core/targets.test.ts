import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Double, serialize } from 'bson';
import { createRandom } from '../../../../src/common/random.ts';
import type { ColumnTarget, ValueType } from '../../../../src/transcode/column-target.ts';
import type { PlanColumn } from '../../../../src/transcode/plan.ts';
import { makeTargetCase } from '../../../support/random-targets.ts';
import { makePlan, rawArray } from '../../../support/raw-bson.ts';
import { compared, TwinEncoder } from '../../../support/twin-encoder.ts';

describe('columns of existing tables, and arrays, in the core', () => {
  it('become the same as in TypeScript, most of them there', () => {
    const before = { ...compared };
    for (let seed = 1; seed <= 200; seed++) {
      const { plan, make } = makeTargetCase(createRandom(seed));
      const twin = new TwinEncoder(plan);
      for (let batch = 0; batch < 2; batch++) twin.encodeBatch(rawArray(Array.from({ length: 50 }, make)));
    }
    assert.equal(compared.documents - before.documents, 20_000);
    const byCore = compared.byCore - before.byCore;
    assert.ok(byCore > 10_000, `only ${byCore} by the core`);
  });

  it('are enums, money, texts of UUIDs, and what PostgreSQL reads from text as well', () => {
    const target = (type: ValueType): ColumnTarget => ({ ...type, name: type.kind, stage: type.kind });
    const types: Record<string, ValueType> = {
      state: { kind: 'enum', labels: ['new', 'shipped'] },
      price: { kind: 'money', scale: 2 },
      uuid: { kind: 'uuid' },
      name: { kind: 'text', maxCharacters: 5 },
      address: { kind: 'form' },
    };
    const columns = Object.entries(types).map(([field, type]): PlanColumn => ({
      ...{ field, column: field, type: 'string' },
      target: target(type),
    }));
    const plan = makePlan({ _id: 'int32' });
    const twin = new TwinEncoder({ ...plan, columns: [...plan.columns, ...columns] });
    const good = { state: 'new', price: -12.34, uuid: '00112233-4455-6677-8899-AABBCCDDEEFF', name: 'füüüf' };
    // These go to the extra column.
    const bad = { state: 'new ', price: 0.001, uuid: '00112233-4455-6677-8899-AABBCCDDEEFG', name: 'fünfte' };
    const [most, more] = [92_233_720_368_547_744, 92_233_720_368_547_760];
    const limits = [most, -most, more, -more];
    const documents = [
      { ...good, address: '10.0.0.1' },
      bad,
      ...limits.map((price) => ({ price: new Double(price) })),
      ...Object.keys(bad).map((field) => ({ [field]: 7 })),
    ].map((fields, index) => serialize({ _id: index, ...fields }));
    const before = compared.byCore;
    twin.encodeBatch(rawArray(documents));
    assert.equal(compared.byCore - before, documents.length);
  });
});
