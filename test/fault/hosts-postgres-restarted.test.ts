/** PostgreSQL restarts, or crashes, while several hosts load. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { assertEqualTable } from '../support/compare.ts';
import { createClient } from '../support/date-style.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneOn, type Scene } from '../support/fault.ts';
import { begin, eventsOf, join, longLease } from '../support/hosts.ts';
import { keepCommitsFromDisk, letCommitsToDisk } from '../support/lost-commits.ts';
import {
  startPrivatePostgres,
  type PostgresStopMode,
  type PrivateServer,
} from '../support/private-servers.ts';
import { mongoUrl } from '../support/servers.ts';

describe('PostgreSQL under several hosts', () => {
  let postgres: PrivateServer<PostgresStopMode>;
  before(async () => {
    postgres = await startPrivatePostgres();
  });
  after(async () => {
    await postgres.remove();
  });

  /** By a connection that was made after the restart. */
  async function assertCopied({ collection }: Scene, documents: number): Promise<void> {
    const client = createClient(postgres.url);
    await client.connect();
    try {
      await assertEqualTable(collection, client, 'things');
      const { rows } = await client.query<{ ends: string[]; documents: number }>(
        `SELECT array_agg(DISTINCT end_reason) AS ends,
                (SELECT sum(documents)::int FROM mongo2pg.batches) AS documents FROM mongo2pg.hosts`,
      );
      assert.deepEqual(rows, [{ ends: ['finished'], documents }]);
    } finally {
      await client.end();
    }
  }

  // Red where a heartbeat is not retried.
  it('restarted (immediate) while each has batches in flight: all reconnect, and finish', async (t) => {
    const scene = await setSceneOn(t, { mongoUrl, postgresUrl: postgres.url }, 3_000);
    const runs = [];
    for (const start of [begin, join, join]) {
      const batches = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
      runs.push({ batches, run: start(t, scene, { ...longLease, ...batches.env }) });
      await batches.waitUntilFired('worker-before-commit');
    }
    await postgres.restart('immediate');
    for (const { batches } of runs) await batches.resume('worker-before-commit');
    for (const { run } of runs) {
      const result = await run.result;
      assertCode(result, 0);
      assert.ok(eventsOf(result.stdout).some(({ kind }) => kind === 'retried'));
    }
    await assertCopied(scene, 3_000);
  });

  // Red where there is no check for gaps once all is read.
  it('that crashes and loses acked batches of a host: they are read again', async (t) => {
    const scene = await setSceneOn(t, { mongoUrl, postgresUrl: postgres.url }, 3_000);
    const killWriter = await keepCommitsFromDisk(scene.client, { synchronous_commit: 'off' });
    try {
      const hold = await setFailpoints(t, { 'host-after-take': 'pause' });
      // One reader with a page in flight is far from the end of its range when the first batch is acked: taking another range waits
      // for the disk, and would keep the batch from being lost.
      const alone = { ...longLease, READ_RANGES: '1', CLUSTER_SIZE: '1', ITEMS_PER_PAGE: '3' };
      const leader = begin(t, scene, { ...alone, ...hold.env });
      await hold.waitUntilFired('host-after-take');
      // Others can see a commit before its host gets the answer: a host can only lose what it has counted.
      const reported = await setFailpoints(t, { 'primary-after-ack': 'pause@1x*' });
      const other = join(t, scene, { ...alone, ...reported.env });
      await reported.waitUntilFired('primary-after-ack');
      killWriter();
      await postgres.restart('immediate');
      await reported.resume('primary-after-ack');
      await hold.resume('host-after-take');
      const led = await leader.result;
      assertCode(led, 0);
      assertCode(await other.result, 0);
      const notices = eventsOf(led.stdout).flatMap((event) =>
        event.kind === 'notice' ? [event.message] : [],
      );
      assert.match(notices.join('\n'), /a crash of PostgreSQL lost [\d,]+ documents; they are read again/);
      await assertCopied(scene, 3_000);
    } finally {
      const client = createClient(postgres.url);
      await client.connect();
      await letCommitsToDisk(client);
      await client.end();
    }
  });
});
