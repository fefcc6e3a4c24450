import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { cleanUp } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setSceneOn } from '../support/fault.ts';
import { createSandbox, mongoUrl } from '../support/servers.ts';
import { startProxy } from '../support/tcp-proxy.ts';

it('the Unix socket of PostgreSQL is missing for a while, as when the server restarts: the connection is retried', async (t) => {
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-socket-'));
  cleanUp(t, () => rm(folder, { recursive: true }));
  const path = join(folder, '.s.PGSQL.5432');
  const url = new URL(sandbox.postgresUrl);
  const proxy = await startProxy({ port: Number(url.port), path });
  cleanUp(t, () => proxy.close());
  const scene = await setSceneOn(t, {
    mongoUrl,
    postgresUrl: sandbox.postgresUrl,
    commandPostgresUrl: `postgres://${url.username}:${url.password}@${url.pathname}?host=${folder}`,
  });
  // While keys are built, so that the primary loses its connection, and reports it.
  const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'pause' });
  const running = act(scene.start({ ...failpoints.env }), async (event) => {
    if (event.kind !== 'retried') return;
    // Long enough for attempts without a socket, and far from RETRY_SECONDS.
    await scene.query('SELECT pg_sleep(0.5)');
    await proxy.restore();
  });
  await failpoints.waitUntilFired('primary-in-index-build');
  proxy.refuse();
  proxy.cut();
  assert.ok(!existsSync(path));
  await failpoints.resume('primary-in-index-build');
  const run = await running;
  assertCode(run, 0);
  assert.match(run.notices, /reconnecting to PostgreSQL/);
  await scene.assertEqual();
});
