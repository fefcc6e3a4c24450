import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';

const megabyte = 1_000_000;
const count = 16;

it('documents of 15 MB, a fast source and slow workers: memory stays within its bounds', async (t) => {
  const scene = await setScene(t, 1);
  const text = 'x'.repeat(15 * megabyte);
  for (let _id = 1; _id <= count; _id++) {
    await scene.collection.insertOne({ _id: _id as never, text: `${_id} ${text}`, even: true });
  }
  // Whoever comes first waits until the reader has run as far ahead as it may.
  const failpoints = await setFailpoints(t, { 'worker-before-claim': 'pause@2x2' });
  // By their credit alone, so many workers would be given all of the documents at once.
  const inFlight = 32;
  const sizes = { CLUSTER_SIZE: String(count / 2), MAX_IN_FLIGHT_MB: String(inFlight) };
  const running = scene.run({ ...failpoints.env, ...sizes });
  await failpoints.waitUntilFired('worker-before-claim', 2);
  await failpoints.resume('worker-before-claim');
  const run = await running;
  assertCode(run, 0);
  // In the primary a page is there as the driver read it, as it is held, and as it is being serialised and sent.
  const base = 150;
  const primary = (run.summary?.primaryPeakRssBytes ?? Infinity) / megabyte;
  assert.ok(primary < base + 4 * inFlight, `primary: ${primary.toFixed(0)} MB`);
  for (const bytes of run.summary?.workerPeakMemoryBytes ?? []) {
    // Two batches by credit, one of them as rows too, and the copies on the way in and out.
    assert.ok(bytes / megabyte < base + 8 * 16, `worker: ${(bytes / megabyte).toFixed(0)} MB`);
  }
  const [row] = await scene.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM things WHERE length(text) > ${15 * megabyte}`,
  );
  assert.equal(row?.count, count);
});
