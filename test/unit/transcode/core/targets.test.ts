import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRandom } from '../../../../src/common/random.ts';
import { makeTargetCase } from '../../../support/random-targets.ts';
import { rawArray } from '../../../support/raw-bson.ts';
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
});
