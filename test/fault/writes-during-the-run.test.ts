import assert from 'node:assert/strict';
import { it } from 'node:test';
import { plainPool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, documentsOf, setScene } from '../support/fault.ts';

it('documents inserted and deleted during the run: those that existed throughout are copied once', async (t) => {
  const scene = await setScene(t, undefined, plainPool);
  const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
  const running = scene.run(failpoints.env);
  await failpoints.waitUntilFired('primary-after-ack');
  // Before, at and after the position of the reader.
  for (const first of [-100, 600, 2_000]) {
    await scene.collection.deleteMany({ _id: { $gte: first, $lt: first + 30 } as never });
  }
  await scene.collection.insertMany(documentsOf(50, -1_000));
  await scene.collection.insertMany(documentsOf(50, 10_000));
  await failpoints.resume('primary-after-ack');
  const run = await running;
  assertCode(run, 0);
  const steady = Array.from({ length: 3_000 }, (_, id) => id).filter(
    (id) => !(id >= 600 && id < 630) && !(id >= 2_000 && id < 2_030),
  );
  const rows = await scene.query<{ id: number; count: number }>(
    'SELECT _id AS id, count(*)::int AS count FROM things GROUP BY _id',
  );
  const counts = new Map(rows.map(({ id, count }) => [id, count]));
  assert.deepEqual(
    steady.filter((id) => counts.get(id) !== 1),
    [],
  );
  assert.ok([...counts.values()].every((count) => count === 1));
  assert.equal(run.summary?.read, run.summary?.copied);
});
