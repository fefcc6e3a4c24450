/** A verification that loses its connection to PostgreSQL while it identifies surplus rows, and with it the lock on its table of keys. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type FaultRun, type Scene } from '../support/fault.ts';
import type { CliResult } from '../support/cli.ts';

const inline = { CLUSTER_IMPLEMENTATION: 'inline' };
const lock = `hashtextextended('mongo2pg.verify_keys_1', 0)`;

/** It has collected the keys of a page, of four, when it loses its connection. @param meanwhile while it stands still */
async function verify(t: TestContext, scene: Scene, meanwhile: () => Promise<void>): Promise<CliResult> {
  const copied: FaultRun = await scene.run(inline);
  assertCode(copied, 0);
  await scene.query(`INSERT INTO things (_id, text) VALUES (9000, 'nobody''s')`);
  const hold = await setFailpoints(t, { 'worker-transcode': 'pause@6x*' });
  const verifying = scene.start({ ...inline, ...hold.env, READ_RANGES: '1', CLUSTER_SIZE: '1' }, 'verify');
  await hold.waitUntilFired('worker-transcode');
  await scene.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'mongo2pg primary' AND datname = current_database()`,
  );
  const isFree = async (): Promise<boolean> => {
    const [row] = await scene.query<{ isFree: boolean }>(`SELECT pg_try_advisory_lock(${lock}) AS "isFree"`);
    return row?.isFree === true;
  };
  await waitUntil('its lock is free', isFree);
  await meanwhile();
  await hold.resume('worker-transcode');
  return await verifying.result;
}

async function readKeys(scene: Scene): Promise<string | null> {
  const [row] = await scene.query<{ keys: string | null }>(
    `SELECT to_regclass('mongo2pg.verify_keys_1') AS keys`,
  );
  return row?.keys ?? null;
}

describe('a verification that reconnects while it collects keys', () => {
  // Red where the table is dropped whoever has its lock.
  it('leaves the keys alone if another verification has their lock by now', async (t) => {
    const scene = await setScene(t, 200);
    const result = await verify(t, scene, () => Promise.resolve());
    assertCode(result, 6);
    assert.equal(await readKeys(scene), 'mongo2pg.verify_keys_1');
  });

  it('drops them if nobody else has it', async (t) => {
    const scene = await setScene(t, 200);
    const result = await verify(t, scene, async () => {
      await scene.query(`SELECT pg_advisory_unlock(${lock})`);
    });
    assertCode(result, 6);
    assert.equal(await readKeys(scene), null);
  });
});
