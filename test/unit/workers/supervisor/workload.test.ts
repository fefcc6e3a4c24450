import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Batch } from '../../../../src/source/page.ts';
import { ActiveRun } from '../../../../src/workers/supervisor/active-run.ts';
import { Workload } from '../../../../src/workers/supervisor/workload.ts';
import { someSettings } from '../../../support/worker-settings.ts';

const megabyte = 1024 * 1024;

function createRun(expectedDocuments = Infinity): ActiveRun {
  return Object.assign(new ActiveRun(1, someSettings, []), { expectedDocuments });
}

function batchOf(documentCount: number, bytes: number): Batch {
  const place = { rangeNo: 1, epoch: 1, number: 1, after: null, last: new Uint8Array() };
  return { ...place, documentCount, bytes: new Uint8Array(bytes) };
}

describe('Workload', () => {
  it('has begun with what is expected, or with what comes', () => {
    const [expected, come] = [new Workload(), new Workload()];
    assert.equal(expected.hasBegun, false);
    expected.expect(1);
    assert.equal(expected.hasBegun, false, 'its size will be known soon');
    expected.expect(1, 10);
    come.submit(createRun(), batchOf(1, 10));
    assert.deepEqual([expected.hasBegun, come.hasBegun], [true, true]);
    assert.deepEqual([expected.isLarge, come.isLarge], [false, false]);
  });

  it('is large where more than 16 MB are expected, of documents of 128 bytes unless it is known better', () => {
    for (const [documents, bytesPerDocument, isLarge] of [
      [125_000, undefined, false],
      [125_001, undefined, true],
      [1_000_000, 16, false],
      [1_000_001, 16, true],
      [Infinity, undefined, true],
    ] as const) {
      const workload = new Workload();
      workload.expect(documents, bytesPerDocument);
      assert.equal(workload.isLarge, isLarge, `${documents}`);
      workload.expect(1);
      assert.equal(workload.isLarge, isLarge, 'and stays it');
    }
  });

  it('is large once 16 MB are expected, by the size of the documents that came', () => {
    const workload = new Workload();
    workload.submit(createRun(16), batchOf(1, 1_000_000));
    assert.equal(workload.isLarge, false);
    workload.submit(createRun(17), batchOf(1, 1_000_000));
    assert.equal(workload.isLarge, true);
  });

  it('is large once more than 16 MB came, also if fewer were expected', () => {
    const workload = new Workload();
    const run = createRun(1);
    workload.submit(run, batchOf(1, 16_000_000));
    assert.equal(workload.isLarge, false);
    workload.submit(run, batchOf(1, 10));
    assert.equal(workload.isLarge, true);
  });

  it('is large with many small runs', () => {
    const workload = new Workload();
    const submitOne = (): void => {
      workload.submit(createRun(), batchOf(10, 3 * megabyte));
    };
    for (let count = 0; count < 5; count++) submitOne();
    assert.equal(workload.isLarge, false);
    submitOne();
    assert.equal(workload.isLarge, true);
  });

  it('estimates how many bytes are left by those that arrived', () => {
    const workload = new Workload();
    const [half, done, overdone] = [createRun(20), createRun(5), createRun(5)];
    for (const run of [half, done, overdone]) workload.submit(run, batchOf(10, 1000));
    half.settledDocuments = 10;
    done.settledDocuments = 5;
    overdone.settledDocuments = 10;
    assert.equal(workload.bytesLeft([half, done, overdone]), 1000);
    assert.equal(workload.bytesLeft([]), 0);
  });

  it('does not estimate the rest if no document arrived, or the number is unknown', () => {
    const workload = new Workload();
    const unknown = createRun();
    workload.submit(unknown, batchOf(10, 1000));
    assert.equal(workload.bytesLeft([createRun(20)]), Infinity);
    assert.equal(workload.bytesLeft([unknown]), Infinity);
    assert.equal(workload.bytesLeft([createRun(0)]), 0, 'of nothing, nothing is left');
  });
});
