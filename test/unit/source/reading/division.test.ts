import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { Division } from '../../../../src/source/reading/division.ts';
import type { Interval } from '../../../../src/source/page.ts';
import type { Divide, IdSample } from '../../../../src/source/source.ts';

function divideOf(sampleIds: Divide['sampleIds']): Divide {
  return { sampleIds, idsWithin: (ids) => Promise.resolve([...ids]), documentsPerPage: (items) => items };
}

/** A hundred ids for so many documents. */
function createDivision(documents: number, readers: number) {
  const ids = Array.from({ length: 100 }, (_, index) => serialize({ _id: index }));
  const sample: IdSample = { ids, documentsPerId: documents / ids.length };
  const asked = { times: 0 };
  const sampleIds = () => {
    asked.times++;
    return Promise.resolve(sample);
  };
  return { division: new Division({ divide: divideOf(sampleIds) }, readers), ids, asked };
}

function show(intervals: readonly Interval[]): (number | null)[][] {
  const idOf = (id: Uint8Array | null) => id && (deserialize(id)._id as number);
  return intervals.map(({ after, until }) => [idOf(after), idOf(until)]);
}

describe('Division', () => {
  it('cuts two ranges for each reader, from one sample', async () => {
    const { division, asked } = createDivision(1_000_000, 4);
    const intervals = await division.intervals(1000);
    assert.equal(intervals.length, 8);
    assert.deepEqual(show(intervals).slice(0, 2), [
      [null, 12],
      [12, 24],
    ]);
    await division.intervals(1000);
    assert.equal(asked.times, 1);
  });

  it('cuts none of fewer than four pages', async () => {
    const { division } = createDivision(10_000, 4);
    assert.equal((await division.intervals(500)).length, 5);
    assert.equal((await division.intervals(1300)).length, 1);
    assert.deepEqual(show(await division.intervals(10_000)), [[null, null]]);
  });

  it('takes no sample for a single reader, and tolerates a source without one', async () => {
    const { division, asked } = createDivision(1_000_000, 1);
    assert.equal((await division.intervals(1000)).length, 1);
    assert.equal(asked.times, 0);
    for (const source of [{ divide: divideOf(() => Promise.resolve(null)) }, {}]) {
      const without = new Division(source, 4);
      assert.equal((await without.intervals(1)).length, 1);
      assert.equal(await without.cutIn([], 1), null);
    }
  });

  it('splits the rest, if that is at least two pages for each half', async () => {
    const { division, ids } = createDivision(10_000, 2);
    assert.equal(await division.cutIn(ids.slice(0, 41), 1000), ids[20]);
    assert.equal(await division.cutIn(ids.slice(0, 39), 1000), null);
    assert.equal(await division.cutIn([], 1000), null);
  });
});
