import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterImplementation } from '../../../src/config/config.ts';
import { describeMeasurement, type MeasuredSummary } from '../../../src/observe/measurement-text.ts';
import type { WorkerMeasurement } from '../../../src/observe/measurement.ts';

const worker: WorkerMeasurement = {
  id: '1',
  batches: 20,
  readyMs: 1000,
  transcodeMs: 200,
  loadMs: 600,
  claimMs: 50,
  copyMs: 500,
  commitMs: 50,
  idleMs: 200,
  handOverMs: 100,
  ipcMs: 10,
  peakMemoryBytes: 97_000_000,
};

function summaryOf(
  workers: readonly WorkerMeasurement[],
  implementation: ClusterImplementation = 'cluster',
): MeasuredSummary {
  return {
    planMs: 400,
    loadMs: 1900,
    indexMs: 600,
    primaryPeakRssBytes: 176_000_000,
    measurement: {
      implementation,
      loadMs: 1800,
      readMs: 300,
      heldMs: 0,
      roomMs: 1300,
      drainMs: 100,
      processorShare: 0.5,
      workers,
    },
  };
}

describe('describeMeasurement', () => {
  it('has the steps, what the workers did, how busy each was, memory, and the bottleneck', () => {
    const busier = { ...worker, loadMs: 700, copyMs: 600, idleMs: 100, peakMemoryBytes: 102_000_000 };
    assert.deepEqual(describeMeasurement(summaryOf([worker, busier])), [
      '  plan 0.4 s · load 1.9 s (0.3 s waiting for the source, 1.3 s for a free worker) · indexes 0.6 s',
      '  workers: 20% transcoding · 65% Postgres (ledger 5%, COPY 55%, COMMIT 5%) · 15% without a batch (10% while one was in transit)',
      '  busy: 80% · 90%',
      '  peak memory: primary 176 MB · workers 97.0 MB – 102 MB',
      "  Postgres was the bottleneck 65% of the workers' time; more workers will not help, unless its server has processors and disks to spare.",
    ]);
  });

  it('has the time for which the readers were throttled', () => {
    const { measurement, ...rest } = summaryOf([worker]);
    const [steps] = describeMeasurement({ ...rest, measurement: { ...measurement, heldMs: 1_100 } });
    assert.match(steps ?? '', /0\.3 s waiting for the source, 1\.1 s held back, 1\.3 s for a free worker/);
  });

  it('has the least and the most busy of many workers', () => {
    const many = Array.from({ length: 13 }, (_, index) => ({ ...worker, transcodeMs: 10 * index }));
    assert.ok(describeMeasurement(summaryOf(many)).includes('  busy: each worker 60% – 72%'));
  });

  it('omits the memory of a worker that has reported none', () => {
    const idle = { ...worker, batches: 0, transcodeMs: 0, loadMs: 0, idleMs: 1000, peakMemoryBytes: 0 };
    const lines = describeMeasurement(summaryOf([worker, idle]));
    assert.ok(lines.includes('  peak memory: primary 176 MB · workers 97.0 MB'), lines.join('\n'));
    assert.ok(lines.includes('  busy: 80% · 0%'), lines.join('\n'));
  });

  it('distinguishes the memory of a process from that of a thread', () => {
    const threads = describeMeasurement(summaryOf([{ ...worker, peakMemoryBytes: 14_000_000 }], 'threads'));
    assert.ok(threads.includes('  peak memory: 176 MB in one process, heaps of workers 14.0 MB'));
    const inline = describeMeasurement(summaryOf([{ ...worker, peakMemoryBytes: 0 }], 'inline'));
    assert.ok(inline.includes('  peak memory: 176 MB in one process'));
  });

  it('omits workers that had nothing to load', () => {
    assert.equal(describeMeasurement(summaryOf([{ ...worker, batches: 0 }])).length, 1);
  });
});
