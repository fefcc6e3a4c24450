/** Hosts of a test: processes that copy or verify the collection of a scene together. */

import assert from 'node:assert/strict';
import type { RunEvent } from '../../src/observe/events.ts';
import type { TestContext } from 'node:test';
import { startCli, type CliResult, type RunningCli, type StartOptions } from './cli.ts';
import { cleanUp, waitUntil } from './embedded.ts';
import { setFailpoints, type FailpointRules, type Failpoints } from './failpoints.ts';
import { killInTime, type Scene } from './fault.ts';
import { testLimitMs } from './limits.ts';
import { toPrimary, withShortSelection } from './mongo-url.ts';
import { startProxy, type Proxy } from './tcp-proxy.ts';

type Env = Readonly<Record<string, string>>;

/** A heartbeat every 100 ms, and a limit so long that no host is declared dead on a busy machine. */
export const longLease: Env = { MONGO2PG_HOST_LIMITS: '100/20000', CLUSTER_IMPLEMENTATION: 'inline' };

/** For tests in which a host must be declared dead. */
export const shortLease: Env = { MONGO2PG_HOST_LIMITS: '100/2500', CLUSTER_IMPLEMENTATION: 'inline' };

export function begin(t: TestContext, scene: Scene, env: Env, ...args: string[]): RunningCli {
  return startHost(t, scene, env, ['--hosts', ...args]);
}

export function beginVerifying(t: TestContext, scene: Scene, env: Env): RunningCli {
  return startHost(t, scene, env, ['verify', '--hosts']);
}

export function join(t: TestContext, scene: Scene, env: Env): RunningCli {
  return startHost(t, scene, env, ['join']);
}

/**
 * The leader waits at its third batch, having copied very little, until `hold.resume('primary-after-ack')`.
 * @param more other failpoints of the leader
 */
export async function beginHeld(
  t: TestContext,
  scene: Scene,
  env: Env,
  more: FailpointRules = {},
): Promise<{ readonly leader: RunningCli; readonly hold: Failpoints }> {
  const hold = await setFailpoints(t, { 'primary-after-ack': 'pause@3x*', ...more });
  const leader = begin(t, scene, { ...env, ...hold.env });
  await hold.waitUntilFired('primary-after-ack');
  return { leader, hold };
}

export function startHost(
  t: TestContext,
  scene: Scene,
  env: Env,
  args: readonly string[],
  options?: StartOptions,
): RunningCli {
  const run = startCli([...args, '--json'], { ...scene.env, ...env }, options);
  killInTime(t, run.process, testLimitMs);
  return run;
}

export interface HostWorkDone {
  readonly hostId: string;
  readonly isLead: boolean;
  readonly endReason: string | null;
  /** Documents committed in ranges that it owned last. */
  readonly documents: number;
}

/** In the order in which they joined. */
export async function readHosts(scene: Scene): Promise<HostWorkDone[]> {
  return await scene.query<HostWorkDone & Record<string, unknown>>(
    `SELECT h.host_id AS "hostId", h.is_lead AS "isLead", h.end_reason AS "endReason",
            (SELECT coalesce(sum(b.documents), 0)::int FROM mongo2pg.ranges r JOIN mongo2pg.batches b USING (run_id, range_no)
              WHERE r.host_id = h.host_id) AS documents
       FROM mongo2pg.hosts h ORDER BY h.host_id`,
  );
}

/** Asserts that the counts in the ledger agree, and that the queue is empty. */
export async function assertAccount(scene: Scene, documents: number): Promise<void> {
  const [row] = await scene.query<{ read: number; batches: number; unread: number }>(
    `SELECT (SELECT (account->>'read')::int FROM mongo2pg.phases WHERE phase = 'copy' ORDER BY run_id DESC LIMIT 1) AS read,
            (SELECT sum(documents)::int FROM mongo2pg.batches) AS batches,
            (SELECT count(*)::int FROM mongo2pg.ranges WHERE closed_at IS NULL AND read_at IS NULL) AS unread`,
  );
  assert.deepEqual(row, { read: documents, batches: documents, unread: 0 });
}

/** Everything that is committed, and by which transaction. */
export async function readCommitted(scene: Scene): Promise<unknown[]> {
  const batches = await scene.query(
    'SELECT range_no, batch, xmin::text FROM mongo2pg.batches ORDER BY range_no, batch',
  );
  const ranges = await scene.query('SELECT *, xmin::text FROM mongo2pg.ranges ORDER BY range_no');
  return [...batches, ...ranges];
}

export function eventsOf(stdout: string): RunEvent[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RunEvent);
}

/** The ids of a process: it gets a new one each time that it joins. */
export function hostIdsOf({ stdout }: Pick<CliResult, 'stdout'>): string[] {
  return eventsOf(stdout).flatMap((event) => (event.kind === 'host-joined' ? [event.hostId] : []));
}

/** The id of a running process. Fails with its output if it ends instead of joining. */
export async function waitForHostId(scene: Scene, run: RunningCli): Promise<string> {
  const { pid } = run.process;
  let hostId = '';
  try {
    await waitUntil('the process has joined', async () => {
      assert.equal(run.process.exitCode, null, 'the process has ended');
      const [ledger] = await scene.query<{ isThere: boolean }>(
        `SELECT to_regclass('mongo2pg.hosts') IS NOT NULL AS "isThere"`,
      );
      if (ledger?.isThere !== true) return false;
      const [row] = await scene.query<{ hostId: string }>(
        `SELECT host_id AS "hostId" FROM mongo2pg.hosts WHERE name LIKE '%/' || $1 AND left_at IS NULL`,
        [pid],
      );
      hostId = row?.hostId ?? '';
      return hostId !== '';
    });
  } catch (error) {
    const { stdout, stderr } = run.heard;
    console.error(`the end of its output: ${stdout.slice(-2000)}\n${stderr}`);
    throw error;
  }
  return hostId;
}

/** Makes the last heartbeat of a host a day old, so that others declare it dead. */
export async function expire(scene: Scene, hostId: string): Promise<void> {
  await scene.query(`UPDATE mongo2pg.hosts SET seen_at = seen_at - interval '1 day' WHERE host_id = $1`, [
    hostId,
  ]);
}

/** Has the other hosts declare a host dead. */
export async function declareDead(scene: Scene, hostId: string): Promise<void> {
  await expire(scene, hostId);
  await waitForEnd(scene, hostId, 'dead');
}

/** @param reason how it ended */
export async function waitForEnd(scene: Scene, hostId: string, reason: string): Promise<void> {
  await waitUntil(`host ${hostId} ended: ${reason}`, async () => {
    const host = (await readHosts(scene)).find((one) => one.hostId === hostId);
    return host?.endReason === reason;
  });
}

/** The ranges that a host owns, and has not read. */
export async function countRangesOf(scene: Scene, hostId: string): Promise<number> {
  const [row] = await scene.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM mongo2pg.ranges WHERE host_id = $1 AND closed_at IS NULL AND read_at IS NULL`,
    [hostId],
  );
  return row?.count ?? 0;
}

/** A proxy between one host and a server. */
export async function startProxyTo(t: TestContext, url: string): Promise<{ proxy: Proxy; url: string }> {
  const proxy = await startProxy({ port: Number(new URL(url).port) });
  cleanUp(t, () => proxy.close());
  return { proxy, url: proxy.url(url) };
}

/** A proxy to MongoDB, or to the primary of a set. The driver soon reports that it is gone. */
export async function startMongoProxy(
  t: TestContext,
  scene: Scene,
): Promise<{ proxy: Proxy; mongoUrl: string }> {
  const { proxy, url } = await startProxyTo(t, await toPrimary(scene.env.MONGO_URL ?? ''));
  return { proxy, mongoUrl: withShortSelection(url) };
}
