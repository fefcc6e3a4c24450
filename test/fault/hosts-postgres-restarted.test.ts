/** PostgreSQL restarts, or crashes, while several hosts load. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { assertEqualTable } from '../support/compare.ts';
import { createClient } from '../support/date-style.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneOn, type Scene } from '../support/fault.ts';
import { begin, eventsOf, join, patient } from '../support/hosts.ts';
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

  // Red where a heartbeat is not tried again.
  it('restarted (immediate) while each has batches in flight: all connect again, and finish', async (t) => {
    const scene = await setSceneOn(t, { mongoUrl, postgresUrl: postgres.url }, 3_000);
    const runs = [];
    for (const start of [begin, join, join]) {
      const batches = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
      runs.push({ batches, run: start(t, scene, { ...patient, ...batches.env }) });
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

  // Red where gaps are not looked for once all is read.
  it('that crashes and takes back what a host was told is committed: it is read again', async (t) => {
    const scene = await setSceneOn(t, { mongoUrl, postgresUrl: postgres.url }, 3_000);
    const killWriter = await keepCommitsFromDisk(scene.client, { synchronous_commit: 'off' });
    try {
      const hold = await setFailpoints(t, { 'host-after-take': 'pause' });
      // One reader with a page in flight is far from the end of its range when the first batch is acked: to take another one waits
      // for the disk, and would keep the batch from being lost.
      const alone = { ...patient, READ_RANGES: '1', CLUSTER_SIZE: '1', ITEMS_PER_PAGE: '3' };
      const lead = begin(t, scene, { ...alone, ...hold.env });
      await hold.waitUntilFired('host-after-take');
      // A commit can be seen by others before its host is told: only what a host counts on can be lost to it.
      const told = await setFailpoints(t, { 'primary-after-ack': 'pause@1x*' });
      const other = join(t, scene, { ...alone, ...told.env });
      await told.waitUntilFired('primary-after-ack');
      killWriter();
      await postgres.restart('immediate');
      await told.resume('primary-after-ack');
      await hold.resume('host-after-take');
      const led = await lead.result;
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
