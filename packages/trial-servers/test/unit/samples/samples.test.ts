import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleSizes, type SampleSet } from '../../../../../src/config/sample-sets.ts';
import { makeSamples } from '../../../src/samples/samples.ts';

describe('a sample set', () => {
  for (const set of Object.keys(sampleSizes) as SampleSet[]) {
    it(`of ${set} is the same every time, created in any parts`, () => {
      const all = makeSamples(set, 1, 50);
      assert.deepEqual([...makeSamples(set, 1, 20), ...makeSamples(set, 21, 30)], all);
      assert.equal(new Set(all.map(({ _id }) => String(_id))).size, 50);
      // No two are equal by coincidence of their seeds.
      assert.equal(new Set(all.map(({ _id, ...fields }) => JSON.stringify([typeof _id, fields]))).size, 50);
    });
  }
});
