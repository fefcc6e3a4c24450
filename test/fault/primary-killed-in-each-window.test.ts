import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { everyPool, plainPool, pool, processesOf } from '../support/cli.ts';
import { waitForProcessEnd } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene, type Scene } from '../support/fault.ts';

/** What the next start reports. */
const windows: readonly [FailpointName, kill: `kill${string}`, said: RegExp | null][] = [
  ['primary-after-plan', 'kill', null],
  [
    'primary-after-ack',
    'kill@20',
    /continuing run 1 .*: [1-9][\d,]* documents committed, [1-9]\d* gaps? to read/,
  ],
  ['primary-before-load-checkpoint', 'kill', /continuing run 1 .*: 3,000 documents committed, 1 gap to read/],
  ['primary-in-index-build', 'kill', /continuing run 1 .*: 3,000 documents committed, 0 gaps to read/],
  ['primary-before-finish', 'kill', /continuing run 1 .*: 3,000 documents committed, 0 gaps to read/],
  ['primary-after-finish', 'kill', /is copied already: run 1 .*: 3,000 rows, 0 dead letters/],
];

/** All of them for one way to run workers, and the load for the others. */
const cases = everyPool.flatMap((implementation) =>
  windows
    .filter(([window]) => implementation === pool || window === 'primary-after-ack')
    .map((window) => [implementation, ...window] as const),
);

async function readBatches(scene: Scene): Promise<string[]> {
  const [ledger] = await scene.query<{ is: boolean }>(
    "SELECT to_regclass('mongo2pg.batches') IS NOT NULL AS is",
  );
  if (ledger?.is !== true) return [];
  const rows = await scene.query<{ key: string }>(
    `SELECT range_no || ' ' || batch || ' ' || encode(last_id, 'hex') || ' ' || xmin AS key
       FROM mongo2pg.batches ORDER BY range_no, batch`,
  );
  return rows.map(({ key }) => key);
}

describe('the primary killed', () => {
  for (const [implementation, window, kill, said] of cases) {
    it(`at ${window} (${implementation}): the same command finishes, and copies nothing twice`, async (t) => {
      const scene = await setScene(t, 3_000, implementation);
      const failpoints = await setFailpoints(t, { [window]: kill });
      let pids: readonly number[] = [];
      const killed = await act(scene.start(failpoints.env), (event) => {
        if (event.kind === 'started') pids = processesOf(event);
      });
      assert.equal(killed.signal, 'SIGKILL');
      for (const pid of pids) await waitForProcessEnd(pid);
      const committed = await readBatches(scene);

      // The result does not depend on how the work was divided, nor on how workers run.
      const others = { CLUSTER_SIZE: '3', CLUSTER_IMPLEMENTATION: plainPool };
      const run = await scene.run({ ...others, ITEMS_PER_PAGE: '70' });
      assertCode(run, 0);
      if (said === null) assert.doesNotMatch(run.notices, /continuing/);
      else assert.match(run.notices, said);
      const after = await readBatches(scene);
      assert.deepEqual(
        committed.filter((batch) => !after.includes(batch)),
        [],
        'what was committed is left as it was',
      );
      assert.equal(run.summary?.read, window === 'primary-after-finish' ? undefined : 3_000);
      await scene.assertEqual();
    });
  }

  it('twice, also with all workers killed', async (t) => {
    const scene = await setScene(t);
    for (const hit of [10, 15]) {
      const failpoints = await setFailpoints(t, { 'primary-after-ack': `kill@${hit}` });
      assert.equal((await scene.run(failpoints.env)).signal, 'SIGKILL');
    }
    const run = await scene.run();
    assertCode(run, 0);
    assert.ok((run.summary?.committedBefore ?? 0) > 0);
    await scene.assertEqual();
  });
});
