import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Int32, serialize } from 'bson';
import { createRandom } from '../../../../src/common/random.ts';
import type { Plan } from '../../../../src/transcode/plan.ts';
import { makePlan, rawArray } from '../../../support/raw-bson.ts';
import { makeNestedCase } from '../../../support/random-nested.ts';
import { compared, TwinEncoder } from '../../../support/twin-encoder.ts';

const plan: Plan = {
  ...makePlan({ _id: 'int32' }),
  columns: [
    ...makePlan({ _id: 'int32', name: 'string' }).columns,
    { field: 'address', column: 'address', type: 'int32' },
    { field: 'address', path: ['city'], column: 'city', type: 'string' },
    { field: 'address', path: ['geo', 'lat'], column: 'lat', type: 'int32' },
    { field: 'more', path: ['n'], column: 'n', type: 'int32' },
  ],
  flattened: [['address'], ['more'], ['address', 'geo']],
};

const numbered = (documents: readonly object[]): Buffer[] =>
  documents.map((fields, index) => Buffer.from(serialize({ _id: new Int32(index + 1), ...fields })));

/** How many of the documents the core has encoded, and the same as the encoder in TypeScript. */
function countByCore(documents: readonly Uint8Array[], twin = new TwinEncoder(plan)): number {
  const before = compared.byCore;
  twin.encodeBatch(rawArray(documents.map((document) => Buffer.from(document))));
  return compared.byCore - before;
}

describe('flattened documents in the core', () => {
  it('are encoded as in TypeScript, most of them by the core', () => {
    const before = { ...compared };
    for (let seed = 1; seed <= 30; seed++) {
      const { plan, make } = makeNestedCase(createRandom(seed), 0);
      const twin = new TwinEncoder(plan);
      for (let batch = 0; batch < 2; batch++) twin.encodeBatch(rawArray(Array.from({ length: 50 }, make)));
    }
    assert.equal(compared.documents - before.documents, 3000);
    const byCore = compared.byCore - before.byCore;
    assert.ok(byCore > 1500, `only ${byCore} by the core`);
  });

  it('may be missing, null, empty or anything else, and in any order', () => {
    const documents = numbered([
      { name: 'all', address: { city: 'Rome', geo: { lat: 41 } }, more: { n: 1 } },
      { more: { n: 2 }, address: { geo: { lat: 41 }, city: 'Rome' }, name: 'disordered' },
      { name: 'missing' },
      { address: null, more: null },
      { address: {}, more: {} },
      { address: { geo: {} } },
      { address: { city: null, geo: null } },
      { address: { city: null, geo: { lat: null } }, more: { n: null } },
      { address: 5, more: 'no document' },
      { address: 'does not fit', more: [{ n: 1 }] },
      { address: [], more: [] },
      { address: { city: 5, geo: { lat: 'x' } }, more: { n: 1.5 } },
      { address: { city: 5, geo: [1] }, more: { n: { n: 1 } } },
    ]);
    assert.equal(countByCore(documents), documents.length);
  });

  it('keep their rest in the extra column, at its depth', () => {
    const twin = new TwinEncoder(plan);
    const documents = numbered([
      { zip: 1, address: { zip: 2, geo: { zip: 3, lat: 'x' }, city: 4 }, more: { zip: {} } },
      { address: { geo: { zip: 3 } } },
      { more: { zip: [1, { zip: null }] }, name: 5 },
    ]);
    // The first has names that are new.
    assert.equal(countByCore(documents, twin), 2);
    assert.equal(countByCore(documents, twin), 3);
  });

  it('with a duplicate name are left to the encoder in TypeScript', () => {
    const documents = numbered([
      { address: { city: 'Rome' }, addresS: { city: 'Paris' } },
      { address: { city: 'Rome', citY: 'Paris' } },
      { address: { city: 'Rome' } },
    ]);
    const [first, second] = documents;
    first?.write('address', first.indexOf('addresS'));
    second?.write('city', second.indexOf('citY'));
    assert.equal(countByCore(documents), 1);
  });

  it('may have more names than the core has memory for', () => {
    const fields = Array.from({ length: 30 }, (_, i) => `field ${i}`);
    const wide: Plan = {
      ...makePlan({ _id: 'int32' }),
      flattened: fields.map((field) => [field]),
    };
    const many = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`${i} ${'x'.repeat(240)}`, new Int32(i)]),
    );
    const [document = Buffer.alloc(0)] = numbered([Object.fromEntries(fields.map((field) => [field, many]))]);
    const small = numbered([{ 'field 1': { a: 1 } }]);
    const twin = new TwinEncoder(wide);
    assert.equal(countByCore([...small, ...small], twin), 1);
    // Begun by the core, and then encoded in TypeScript as a whole.
    assert.ok(countByCore([document, ...small], twin) <= 0);
    assert.equal(countByCore(small, twin), 0);
  });
});
