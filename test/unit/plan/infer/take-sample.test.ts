import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Document } from 'bson';
import { takeSample } from '../../../../src/plan/infer/take-sample.ts';
import type { Source } from '../../../../src/source/source.ts';
import { createFakeSource } from '../../../support/fake-source.ts';

const many = 20_000;

/** @param documentOf the fields of the document of this number, beside its `_id` */
function serve(documentOf: (index: number) => Document, count = many): { source: Source; sizes: number[] } {
  const sizes: number[] = [];
  const all = Array.from({ length: count }, (_, index) => ({ _id: index, ...documentOf(index) }));
  const source = createFakeSource(all);
  const divide = {} as NonNullable<Source['divide']>;
  const sample: Source['sample'] = (size) => {
    sizes.push(size);
    return source.sample(size);
  };
  return { source: { ...source, divide, sample }, sizes };
}

describe('takeSample', () => {
  for (const [what, documentOf] of [
    ['fields and types that are in many', (i: number) => (i % 50 === 0 ? { a: 'x' } : { a: i, b: null })],
    ['a null that is rare', (i: number) => ({ a: i === 7 ? null : 'x' })],
    ['a field that is rarely missing', (i: number) => (i === 7 ? {} : { a: 'x' })],
  ] as const) {
    it(`takes 1,000 documents: ${what}`, async () => {
      const { source, sizes } = serve(documentOf);
      const { sample, stats } = await takeSample(source, undefined, false);
      assert.deepEqual([sizes, sample.documents.length, stats.documents], [[1_000], 1_000, 1_000]);
    });
  }

  for (const [what, documentOf] of [
    ['a rare field', (i: number) => (i === 7 ? { a: 1, rare: 1 } : { a: 1 })],
    ['a rare type', (i: number) => ({ a: i === 7 ? 'x' : i })],
    ['a field that is rare and null', (i: number) => (i === 7 ? { a: null } : {})],
  ] as const) {
    it(`takes 10,000 if the first have ${what}`, async () => {
      const { source, sizes } = serve(documentOf);
      const { stats } = await takeSample(source, undefined, false);
      assert.deepEqual([sizes, stats.documents], [[1_000, 10_000], 10_000]);
    });
  }

  it('takes all of few documents, once', async () => {
    const { source, sizes } = serve((i) => (i === 7 ? { rare: 1 } : {}), 900);
    assert.equal((await takeSample(source, undefined, false)).stats.documents, 900);
    assert.deepEqual(sizes, [1_000]);
  });

  it('takes as many as requested, and all if nothing may be missed', async () => {
    const { source, sizes } = serve(() => ({}));
    await takeSample(source, 50, false);
    await takeSample(source, 5_000, true);
    await takeSample(source, undefined, true);
    assert.deepEqual(sizes, [50, 5_000, 10_000]);
  });

  it('does not read a dump twice', async () => {
    const { source, sizes } = serve(() => ({}));
    const dump = { ...source };
    Reflect.deleteProperty(dump, 'divide');
    await takeSample(dump, undefined, false);
    assert.deepEqual(sizes, [10_000]);
  });
});
