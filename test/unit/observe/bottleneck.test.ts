import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findBottleneck, type Bottleneck } from '../../../src/observe/bottleneck.ts';
import type { Measurement, WorkerMeasurement } from '../../../src/observe/measurement.ts';

/** A worker that was ready for 1000 ms; the rest of the time was idle. */
function workerOf(times: Partial<WorkerMeasurement>): WorkerMeasurement {
  const { transcodeMs = 0, loadMs = 0, batches = 10 } = times;
  return {
    id: '1',
    readyMs: 1000,
    claimMs: 0,
    copyMs: loadMs,
    commitMs: 0,
    handOverMs: 0,
    ipcMs: 0,
    peakMemoryBytes: 1,
    ...times,
    batches,
    transcodeMs,
    loadMs,
    idleMs: 1000 - transcodeMs - loadMs,
  };
}

function find(times: Partial<WorkerMeasurement>, primary: Partial<Measurement> = {}): Bottleneck | null {
  const waits = {
    implementation: 'cluster' as const,
    loadMs: 1000,
    readMs: 0,
    heldMs: 0,
    roomMs: 0,
    drainMs: 0,
    processorShare: 0.5,
  };
  return findBottleneck({ ...waits, ...primary, workers: [workerOf(times), workerOf(times)] });
}

describe('findBottleneck', () => {
  const cases: [
    title: string,
    times: Partial<WorkerMeasurement>,
    primary: Partial<Measurement>,
    text: string,
  ][] = [
    [
      'Postgres, where the workers wait for it most',
      { loadMs: 860, transcodeMs: 140 },
      {},
      "Postgres was the bottleneck 86% of the workers' time; more workers will not help, unless its server has processors and disks to spare.",
    ],
    [
      'transcoding, where it takes most',
      { loadMs: 200, transcodeMs: 700 },
      {},
      "Transcoding was the bottleneck 70% of the workers' time; more workers will help while this machine has processors to spare (they were 50% busy).",
    ],
    [
      'transcoding as well if the load of the processors is unknown',
      { loadMs: 200, transcodeMs: 700 },
      { processorShare: null },
      "Transcoding was the bottleneck 70% of the workers' time; more workers will help while this machine has processors to spare.",
    ],
    [
      'MongoDB, where workers wait without a batch and the primary for pages',
      { loadMs: 200, transcodeMs: 100 },
      { readMs: 900, roomMs: 50 },
      'The source was the bottleneck: the workers waited for pages 70% of their time; more workers will not help, but READ_RANGES may if the server is far away.',
    ],
    [
      'the pace, where the primary delays its readers',
      { loadMs: 200, transcodeMs: 100 },
      { readMs: 50, heldMs: 900 },
      'MAX_RATE or LOAD_LEVEL was the bottleneck: the workers waited for pages 70% of their time; raise it if the source can take more load.',
    ],
    [
      'the bytes in flight, where workers wait although the primary has a page',
      { loadMs: 200, transcodeMs: 100 },
      { readMs: 50, roomMs: 900 },
      'MAX_IN_FLIGHT_MB was the bottleneck: it held pages back while the workers waited 70% of their time; raise it, or lower ITEMS_PER_PAGE.',
    ],
    [
      'the tail, where workers wait although all is read',
      { loadMs: 200, transcodeMs: 100 },
      { readMs: 50, roomMs: 50, drainMs: 900 },
      "The last batches were the bottleneck: for 70% of the workers' time nothing was left to dispatch; lower ITEMS_PER_PAGE.",
    ],
    [
      'dispatch, where workers wait for batches in transit',
      { loadMs: 200, transcodeMs: 100, handOverMs: 600 },
      { readMs: 900 },
      'Dispatching batches was the bottleneck: the workers waited 60% of their time for a batch in transit; more workers will not help.',
    ],
    [
      'the processors, where they are busy, whatever waits for them',
      { loadMs: 860, transcodeMs: 140 },
      { processorShare: 0.97 },
      'The processors of this machine were the bottleneck: 97% busy; more workers will not help.',
    ],
    [
      'none, where there are fewer batches than the workers can hold',
      { loadMs: 860, batches: 1 },
      { processorShare: 0.97 },
      'Too small to tell: 2 batches for 2 workers; fewer workers would have done as well.',
    ],
  ];
  for (const [title, times, primary, text] of cases) {
    it(`names ${title}`, () => {
      assert.equal(find(times, primary)?.text, text);
    });
  }

  it('reports the share that decided', () => {
    assert.deepEqual({ ...find({ loadMs: 860 }), text: '' }, { kind: 'postgres', share: 0.86, text: '' });
  });

  it('counts a waiting worker by what it waits for: idle time is split before it is compared', () => {
    // 60% idle in all, and yet neither half of it is as much as Postgres.
    assert.equal(find({ loadMs: 400, handOverMs: 300 })?.kind, 'postgres');
  });

  it('reports nothing for a run that loaded nothing', () => {
    assert.equal(find({ batches: 0 }), null);
  });
});
