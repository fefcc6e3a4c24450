/** A ledger of version 5 with an unfinished run, under this version. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import type { Summary } from '../../../src/observe/summary.ts';
import { closePostgres, connectPostgres } from '../../../src/postgres/connection/connection.ts';
import { createLedger, hasLedger, upgradeLedger } from '../../../src/postgres/ledger/ledger.ts';
import { currentVersion, migrations } from '../../../src/postgres/ledger/migrations/list.ts';
import { lockJob, lockTable, unlockJob, unlockTable } from '../../../src/postgres/ledger/run-lock.ts';
import type { Session } from '../../../src/postgres/connection/session.ts';
import { runCli } from '../../support/cli.ts';
import { assertEqualTable } from '../../support/compare.ts';
import { waitUntil } from '../../support/embedded.ts';
import {
  fillCollections,
  listDeadLetters,
  makeLedgerVersion5,
  type FixtureCollection,
} from '../../support/ledger-version-5.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { openSession } from '../../support/session.ts';

/** The settings of the fixture's job. */
const several = { MONGO_COLLECTION: '*', EXCLUDE_COLLECTIONS: 'loaded' };

describe('a ledger of version 5', () => {
  let sandbox: Sandbox;
  let session: Session;
  before(async () => {
    sandbox = await createSandbox();
    await fillCollections(sandbox.db);
    session = await openSession(sandbox);
  });
  after(async () => {
    await session.close();
    await sandbox.remove();
  });
  beforeEach(async () => {
    await makeLedgerVersion5(sandbox);
  });

  async function run(env: Readonly<Record<string, string>>, ...args: string[]) {
    return await runCli([...args, '--json'], {
      ...sandbox.env,
      CLUSTER_IMPLEMENTATION: 'inline',
      ITEMS_PER_PAGE: '20',
      ...env,
    });
  }

  async function query<Row>(sql: string): Promise<Row[]> {
    return (await sandbox.client.query(sql)).rows as Row[];
  }

  async function readVersions(): Promise<number[]> {
    const rows = await query<{ number: number }>('SELECT number FROM mongo2pg.migrations ORDER BY 1');
    return rows.map(({ number }) => number);
  }

  /** The catalog after the migrations, from any version. */
  async function describeShape(): Promise<unknown[]> {
    return await query(`
      SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
       WHERE table_schema = 'mongo2pg'
      UNION ALL
      SELECT conrelid::regclass::text, pg_get_constraintdef(oid), NULL, NULL, NULL FROM pg_constraint
       WHERE connamespace = 'mongo2pg'::regnamespace AND contype <> 'n'
      UNION ALL
      SELECT tablename, indexdef, NULL, NULL, NULL FROM pg_indexes WHERE schemaname = 'mongo2pg'
      UNION ALL
      SELECT 'version', obj_description('mongo2pg'::regnamespace, 'pg_namespace'), NULL, NULL, NULL
      ORDER BY 1, 2`);
  }

  function assertEqual(collection: FixtureCollection): Promise<void> {
    const deadLetters = listDeadLetters(collection);
    return assertEqualTable(sandbox.db.collection(collection), sandbox.client, collection, { deadLetters });
  }

  it('is upgraded by a start, which finishes the unfinished run of its job and begins the waiting ones', async () => {
    const committed = await query<{ key: string; xmin: string }>(
      "SELECT run_id || ' ' || range_no || ' ' || batch AS key, xmin::text FROM mongo2pg.batches",
    );
    const { code, stdout, stderr } = await run(several);
    assert.equal(code, ExitCode.deadLetters, stderr);
    assert.match(stdout, /larger is copied already/);
    assert.match(stdout, /continuing run 3 .*: \d+ documents committed, [2-9] gaps to read/);
    const things = stdout
      .split('\n')
      .filter((line) => line.includes('"kind":"summary"'))
      .map((line) => JSON.parse(line) as Summary)
      .find(({ table }) => table === 'things');
    assert.ok(things !== undefined && things.committedBefore > 0 && things.committedBefore < things.read);
    for (const collection of ['larger', 'things', 'waiting'] as const) await assertEqual(collection);
    const now = await query<{ key: string; xmin: string }>(
      "SELECT run_id || ' ' || range_no || ' ' || batch AS key, xmin::text FROM mongo2pg.batches",
    );
    const kept = new Map(now.map(({ key, xmin }) => [key, xmin]));
    assert.deepEqual(
      committed.filter(({ key, xmin }) => kept.get(key) !== xmin),
      [],
      'what was committed was not touched',
    );
    const [job] = await query<{ isDone: boolean }>(
      'SELECT finished_at IS NOT NULL AS "isDone" FROM mongo2pg.jobs',
    );
    assert.equal(job?.isDone, true);
    assert.equal((await run(several, 'verify')).code, ExitCode.ok);
  });

  it('is upgraded by a start that only builds the key, as all was loaded', async () => {
    const { code, stderr } = await run({ MONGO_COLLECTION: 'loaded' });
    assert.equal(code, ExitCode.deadLetters, stderr);
    await assertEqual('loaded');
    const phases = await query<object>(
      `SELECT p.phase, p.done_at IS NOT NULL AS done, p.account FROM mongo2pg.phases p JOIN mongo2pg.runs USING (run_id)
        WHERE table_name = 'loaded' ORDER BY p.phase`,
    );
    assert.deepEqual(phases, [
      {
        phase: 'copy',
        done: true,
        account: { read: 60, copied: 58, deadLettered: 2, bytes: 495 + 3 * 511 + 504, childRows: 0 },
      },
      { phase: 'index', done: true, account: { built: 0, present: 0, left: 0 } },
    ]);
    assert.deepEqual(
      await readVersions(),
      migrations.map(({ number }) => number),
    );
  });

  it('is upgraded by verify, and by retry, which finds its dead letters', async () => {
    assert.equal((await run({ MONGO_COLLECTION: 'larger' }, 'verify')).code, ExitCode.ok);
    await makeLedgerVersion5(sandbox);
    const retried = await runCli(['retry'], { ...sandbox.env, MONGO_COLLECTION: 'larger' });
    assert.match(retried.stderr, /run 2 .*: 0 dead letters loaded, 9 left/);
    assert.deepEqual(
      await readVersions(),
      migrations.map(({ number }) => number),
    );
  });

  it('then equals a new one', async () => {
    await session.transaction(createLedger);
    const upgraded = await describeShape();
    await query('DROP SCHEMA mongo2pg CASCADE');
    await session.transaction(createLedger);
    assert.deepEqual(upgraded, await describeShape());
    assert.deepEqual(
      await readVersions(),
      migrations.map(({ number }) => number),
    );
  });

  it('is upgraded once by two starts at the same time', async () => {
    const others = [await openSession(sandbox), await openSession(sandbox)];
    try {
      await Promise.all(others.map((other) => upgradeLedger(other)));
      assert.deepEqual(
        await readVersions(),
        migrations.map(({ number }) => number),
      );
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });

  it('is not upgraded by status or a dry run, which say what upgrades it', async () => {
    for (const args of [['status'], ['--dry-run']]) {
      const { code, stderr } = await run({ MONGO_COLLECTION: 'things' }, ...args);
      assert.equal(code, ExitCode.target);
      assert.match(stderr, /has version 5, and this tool needs version \d+.*start, verify or retry/s);
    }
    assert.deepEqual(await query("SELECT to_regclass('mongo2pg.migrations') AS there"), [{ there: null }]);
  });

  it('is not upgraded while a run or a start uses it', async () => {
    const other = await connectPostgres(sandbox.postgresUrl, 'mongo2pg primary');
    const things = { schema: 'public', table: 'things' };
    try {
      await lockTable(other.client, things);
      await lockJob(other.client, '1');
      await assert.rejects(upgradeLedger(session), {
        code: 'LEDGER_IN_USE',
        message: /while it is in use: "public"."things" \(from .*\), job 1 \(from .*\)$/,
      });
      await unlockTable(other.client, things);
      await unlockJob(other.client, '1');
      await upgradeLedger(session);
    } finally {
      await closePostgres(other);
    }
  });

  it('is upgraded when a worker that outlived its primary has committed', async () => {
    const worker = await connectPostgres(sandbox.postgresUrl, 'mongo2pg worker');
    try {
      // As version 5 claims a batch.
      await worker.client.query(`BEGIN; INSERT INTO mongo2pg.batches
        (run_id, batch, range_no, after_id, last_id, documents, copied, dead_lettered, bytes, extra, child_rows)
        VALUES ((SELECT run_id FROM mongo2pg.runs WHERE run_id = 3 AND epoch = 2 FOR SHARE), 9000, 9,
                '\\x00', '\\x01', 1, 1, 0, 1, NULL, 0)`);
      let isUpgraded = false;
      const upgrading = upgradeLedger(session).then(() => (isUpgraded = true));
      await waitUntil('the upgrade waits for the worker', async () => {
        const rows = await query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'mongo2pg primary' AND wait_event_type = 'Lock'`,
        );
        return rows.length === 1;
      });
      assert.equal(isUpgraded, false);
      await worker.client.query('COMMIT');
      await upgrading;
    } finally {
      await closePostgres(worker);
    }
    assert.equal((await query('SELECT FROM mongo2pg.batches WHERE batch = 9000')).length, 1);
  });

  it('a later version is refused, with the fix, and not changed', async () => {
    await session.transaction(createLedger);
    await query(`COMMENT ON SCHEMA mongo2pg IS 'mongo2pg ledger ${currentVersion + 1}'`);
    const before = await describeShape();
    for (const refuse of [() => session.run(hasLedger), () => upgradeLedger(session)]) {
      await assert.rejects(refuse(), {
        code: 'LEDGER_NEWER',
        fix: /the version of mongo2pg that has upgraded it/,
      });
    }
    const { code, stderr } = await run({ MONGO_COLLECTION: 'things' });
    assert.equal(code, ExitCode.target);
    assert.match(
      stderr,
      new RegExp(`has version ${currentVersion + 1}, and this tool supports versions up to`),
    );
    assert.deepEqual(await describeShape(), before);
  });

  it('an earlier one, or a schema of another program, is refused as well', async () => {
    for (const comment of ['mongo2pg ledger 4', 'mine']) {
      await query(`COMMENT ON SCHEMA mongo2pg IS '${comment}'`);
      await assert.rejects(upgradeLedger(session), { code: 'LEDGER_UNKNOWN' });
    }
  });
});
