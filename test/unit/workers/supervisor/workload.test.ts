import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Batch } from '../../../../src/source/page.ts';
import { ActiveRun } from '../../../../src/workers/supervisor/active-run.ts';
import { Workload } from '../../../../src/workers/supervisor/workload.ts';
import { someSettings } from '../../../support/worker-settings.ts';

const pageDocuments = 100;
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
    const [expected, come] = [new Workload(pageDocuments), new Workload(pageDocuments)];
    assert.equal(expected.hasBegun, false);
    expected.expect(1);
    come.submit(createRun(), batchOf(1, 10));
    assert.deepEqual([expected.hasBegun, come.hasBegun], [true, true]);
    assert.deepEqual([expected.isLarge, come.isLarge], [false, false]);
  });

  it('is large where more than a page of documents is expected', () => {
    const workload = new Workload(pageDocuments);
    workload.expect(pageDocuments);
    assert.equal(workload.isLarge, false);
    workload.expect(pageDocuments + 1);
    assert.equal(workload.isLarge, true);
    workload.expect(1);
    assert.equal(workload.isLarge, true, 'and stays it');
  });

  it('is large once a run has more documents than a page', () => {
    const workload = new Workload(pageDocuments);
    const run = createRun();
    workload.submit(run, batchOf(pageDocuments, 1000));
    assert.equal(workload.isLarge, false);
    workload.submit(run, batchOf(1, 10));
    assert.equal(workload.isLarge, true);
  });

  it('is large once a run has more bytes than a page, unless these are a single batch', () => {
    const workload = new Workload(pageDocuments);
    const run = createRun();
    workload.submit(run, batchOf(1, 9 * megabyte));
    assert.equal(workload.isLarge, false, 'one document may be as large');
    workload.submit(run, batchOf(1, 10));
    assert.equal(workload.isLarge, true);
  });

  it('is large with many small runs', () => {
    const workload = new Workload(pageDocuments);
    const submitOne = (): void => {
      workload.submit(createRun(), batchOf(10, 3 * megabyte));
    };
    for (let count = 0; count < 5; count++) submitOne();
    assert.equal(workload.isLarge, false);
    submitOne();
    assert.equal(workload.isLarge, true);
  });

  it('estimates how many bytes are left by those that arrived', () => {
    const workload = new Workload(pageDocuments);
    const [half, done, overdone] = [createRun(20), createRun(5), createRun(5)];
    for (const run of [half, done, overdone]) workload.submit(run, batchOf(10, 1000));
    half.settledDocuments = 10;
    done.settledDocuments = 5;
    overdone.settledDocuments = 10;
    assert.equal(workload.bytesLeft([half, done, overdone]), 1000);
    assert.equal(workload.bytesLeft([]), 0);
  });

  it('does not estimate the rest if no document arrived, or the number is unknown', () => {
    const workload = new Workload(pageDocuments);
    const unknown = createRun();
    workload.submit(unknown, batchOf(10, 1000));
    assert.equal(workload.bytesLeft([createRun(20)]), Infinity);
    assert.equal(workload.bytesLeft([unknown]), Infinity);
    assert.equal(workload.bytesLeft([createRun(0)]), 0, 'of nothing, nothing is left');
  });
});
