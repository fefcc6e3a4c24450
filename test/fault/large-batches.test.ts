import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';

const megabyte = 1_000_000;
const count = 16;

/** In MB; a document has up to 16, and the buffer for its rows grows to twice that. */
const page = 16;
const bounds = {
  // A worker has two batches by credit, one of them as rows too, and the copies on the way in and out.
  cluster: { ofProcess: 150, ofWorker: 150 + 8 * page, ofWorkerInPrimary: 0 },
  // Two batches, one of them in the core too, with its rows and their doubled room; tables of the core and the heap take two more.
  // Not all workers are at their peak at the same time.
  threads: { ofProcess: 150, ofWorker: 7 * page, ofWorkerInPrimary: 5 * page },
  inline: { ofProcess: 150, ofWorker: 0, ofWorkerInPrimary: 2 * page },
} as const;

it('documents of 15 MB, a fast source and slow workers: memory stays within its bounds', async (t) => {
  const scene = await setScene(t, 1);
  const text = 'x'.repeat(15 * megabyte);
  for (let _id = 1; _id <= count; _id++) {
    await scene.collection.insertOne({ _id: _id as never, text: `${_id} ${text}`, even: true });
  }
  // The first worker waits until the reader is as far ahead as allowed.
  const failpoints = await setFailpoints(t, { 'worker-before-claim': 'pause@2x2' });
  // By credit alone, so many workers would get all of the documents at the same time.
  const inFlight = 32;
  const sizes = { CLUSTER_SIZE: String(count / 2), MAX_IN_FLIGHT_MB: String(inFlight) };
  const running = scene.run({ ...failpoints.env, ...sizes });
  await failpoints.waitUntilFired('worker-before-claim', 2);
  await failpoints.resume('worker-before-claim');
  const run = await running;
  assertCode(run, 0);
  const { ofProcess, ofWorker, ofWorkerInPrimary } = bounds[pool];
  const primary = (run.summary?.primaryPeakRssBytes ?? Infinity) / megabyte;
  // In the primary a page is there as the driver read it, as it is kept, and as it is being serialised and sent.
  const limit = ofProcess + 4 * inFlight + (count / 2) * ofWorkerInPrimary;
  assert.ok(primary < limit, `primary: ${primary.toFixed(0)} MB`);
  const peaks = run.summary?.workerPeakMemoryBytes ?? [];
  assert.ok(peaks.length > 0);
  for (const bytes of peaks) {
    assert.ok(bytes / megabyte <= ofWorker, `worker: ${(bytes / megabyte).toFixed(0)} MB`);
  }
  const [row] = await scene.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM things WHERE length(text) > ${15 * megabyte}`,
  );
  assert.equal(row?.count, count);
});
