import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import pg from 'pg';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli, runProcess, startCli } from '../../support/cli.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

interface Told {
  readonly jobs: readonly {
    readonly jobId: string;
    readonly state: string;
    readonly next: string;
    readonly collections: readonly {
      readonly collection: string;
      readonly state: string;
      readonly runId: string | null;
    }[];
  }[];
  readonly runs: readonly {
    readonly runId: string;
    readonly state: string;
    readonly documents: number;
    readonly copied: number;
    readonly deadLettered: number;
    readonly bytes: number;
    readonly phases: readonly {
      readonly phase: string;
      readonly doneAt: string | null;
      readonly account: object | null;
    }[];
    readonly openRanges: number;
    readonly documentsPerSecond: number | null;
    readonly next: string;
    readonly deadLetters: readonly { readonly reason: string; readonly count: number }[];
    readonly extra: readonly { readonly field: string; readonly reason: string; readonly count: number }[];
  }[];
}

describe('npm run status', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: 2_000 }, (_, index) => ({
      _id: index as never,
      text: index === 1_999 ? 'N\0UL' : `text ${index}`,
      ...(index === 1_500 ? { late: true } : {}),
    }));
    await sandbox.db.collection('things').insertMany(documents);
    await sandbox.db.collection('few').insertMany([{ _id: 1 as never }, { _id: 2 as never }]);
  });
  after(async () => {
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query(
      'DROP TABLE IF EXISTS things, few; DROP SCHEMA IF EXISTS mongo2pg, closed CASCADE',
    );
  });

  const env = () => ({
    ...sandbox.env,
    MONGO_COLLECTION: 'things',
    CLUSTER_SIZE: '2',
    ITEMS_PER_PAGE: '50',
    // So that the number of open batches is known.
    READ_RANGES: '1',
    SAMPLE_SIZE: '20',
  });

  /** It needs no MongoDB. */
  function status(args: string[] = [], url = sandbox.postgresUrl) {
    return runCli(['status', ...args], { POSTGRES_URL: url });
  }

  async function readStatus(...args: string[]): Promise<Told['runs']> {
    const { code, stdout, stderr } = await status(['--json', ...args]);
    assert.equal(code, ExitCode.ok, stderr);
    return (JSON.parse(stdout) as Told).runs;
  }

  it('reports that there is no ledger', async () => {
    const { code, stderr } = await status();
    assert.equal(code, ExitCode.usage);
    assert.match(stderr, /this database has no ledger/);
  });

  it('shows a finished run: its counts, dead letters by reason, _extra by field, and what to do next', async () => {
    assert.equal((await runCli([], env())).code, ExitCode.deadLetters);
    const [run, ...others] = await readStatus();
    assert.deepEqual(others, []);
    assert.deepEqual(
      [run?.state, run?.documents, run?.copied, run?.deadLettered, run?.openRanges],
      ['finished', 2_000, 1_999, 1, 0],
    );
    assert.deepEqual(
      run?.phases.map(({ phase, doneAt, account }) => [phase, doneAt !== null, account]),
      [
        [
          'copy',
          true,
          {
            ...{ read: 2_000, copied: 1_999, deadLettered: 1, dropped: 0 },
            ...{ bytes: run?.bytes, rows: 1_999, childRows: 0 },
          },
        ],
        ['index', true, { built: 0, present: 0, left: 0 }],
      ],
    );
    assert.deepEqual(
      run.deadLetters.map(({ reason, count }) => [reason, count]),
      [['nul', 1]],
    );
    assert.deepEqual(
      run.extra.map(({ field, reason, count }) => [field, reason, count]),
      [['late', 'no_column', 1]],
    );
    const { stdout } = await status();
    assert.match(stdout, /run 1: \w+\.things → "public"\."things": finished/);
    assert.match(stdout, /read 2,000 = copied 1,999 \+ dead-lettered 1/);
    assert.match(stdout, /next: fix the table, then npm run retry; or change the plan/);
  });

  it('shows a running run, and one that was killed', async (t) => {
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
    const running = runProcess([], { ...env(), ...failpoints.env });
    const pid = await failpoints.waitUntilFired('primary-after-ack');
    const [during] = await readStatus();
    assert.equal(during?.state, 'running');
    assert.ok(during.documents > 0 && during.documents < 2_000);
    assert.equal(during.openRanges, 1);
    assert.deepEqual(
      during.phases.map(({ phase, doneAt, account }) => [phase, doneAt, account]),
      [['copy', null, null]],
    );
    // It watches as long as something runs.
    const watching = status(['--watch', '--json']);
    process.kill(pid, 'SIGKILL');
    await running;
    const { code, stdout } = await watching;
    assert.equal(code, ExitCode.ok);
    const last = stdout.trim().split('\n').at(-1) ?? '';
    assert.equal((JSON.parse(last) as Told).runs[0]?.state, 'stopped');
    const [after] = await readStatus();
    assert.match(after?.next ?? '', /resumes where it stopped/);
    // No process was active for a night, which must not count for its speed.
    await sandbox.client.query(
      `UPDATE mongo2pg.runs SET started_at = started_at - interval '9 hours';
       UPDATE mongo2pg.batches SET committed_at = committed_at - interval '9 hours'`,
    );
    assert.equal((await runCli([], env())).code, ExitCode.deadLetters);
    const [continued] = await readStatus();
    assert.equal(continued?.documents, 2_000);
    assert.ok((continued.documentsPerSecond ?? 0) > 20, `${continued.documentsPerSecond} docs/s`);
  });

  it('says what to do if the table was dropped', async (t) => {
    assert.equal((await runCli([], env())).code, ExitCode.deadLetters);
    const [whole] = await readStatus();
    // From the beginning to the last batch, which gives a lower rate than from batch to batch.
    assert.ok((whole?.documentsPerSecond ?? 0) > 0 && (whole?.documentsPerSecond ?? 0) < 1e6);
    await sandbox.client.query('DROP TABLE things');
    assert.match(
      (await readStatus())[0]?.next ?? '',
      /its table was dropped since; run the same command again to copy everything$/,
    );
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@10' });
    assert.equal((await runCli([], { ...env(), ...failpoints.env })).signal, 'SIGKILL');
    await sandbox.client.query('DROP TABLE things');
    const [stopped] = await readStatus();
    assert.match(
      stopped?.next ?? '',
      /its table was dropped since; run the same command with --restart to copy everything again$/,
    );
    assert.equal((await runCli(['--restart'], env())).code, ExitCode.deadLetters);
  });

  it('shows a run that only lacks its keys', async (t) => {
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'kill' });
    assert.equal((await runCli([], { ...env(), ...failpoints.env })).signal, 'SIGKILL');
    const [run] = await readStatus();
    assert.deepEqual([run?.state, run?.openRanges], ['loaded', 0]);
  });

  it('shows a job, and watches it between two of its collections', async (t) => {
    // No connections for two collections in parallel: they are copied in the order of their size.
    await sandbox.client.query(`ALTER DATABASE ${sandbox.mongoDb} CONNECTION LIMIT 6`);
    t.after(() => sandbox.client.query(`ALTER DATABASE ${sandbox.mongoDb} CONNECTION LIMIT -1`));
    const failpoints = await setFailpoints(t, { 'primary-after-plan': 'pause@2' });
    const jobEnv = { ...env(), MONGO_COLLECTION: 'few,things' };
    const running = runCli([], { ...jobEnv, ...failpoints.env });
    await failpoints.waitUntilFired('primary-after-plan');
    const watching = startCli(['status', '--watch', '--json'], { POSTGRES_URL: sandbox.postgresUrl });
    // It has shown the status while nothing was being loaded.
    await once(watching.process.stdout ?? assert.fail('no stdout'), 'data');
    // It ends when its reader closes, although there is still something to watch.
    const left = startCli(['status', '--watch'], { POSTGRES_URL: sandbox.postgresUrl });
    left.process.stdout?.once('data', () => left.process.stdout?.destroy());
    assert.equal((await left.result).code, ExitCode.ok);
    const second = await runCli([], jobEnv);
    assert.equal(second.code, ExitCode.usage);
    assert.match(second.stderr, /another start is copying the same collections .* — let it finish/);
    await failpoints.resume('primary-after-plan');
    assert.equal((await running).code, ExitCode.deadLetters);
    const { code, stdout } = await watching.result;
    assert.equal(code, ExitCode.ok);
    const reported = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Told);
    const states = ({ jobs: [job] }: Told) => [
      job?.state,
      ...(job?.collections.map(({ collection, state }) => `${collection} ${state}`) ?? []),
    ];
    assert.deepEqual(states(reported[0] ?? assert.fail(stdout)), [
      'running',
      'things finished',
      'few waiting',
    ]);
    assert.deepEqual(states(reported.at(-1) ?? assert.fail(stdout)), [
      'finished',
      'things finished',
      'few finished',
    ]);
    const shown = (await status()).stdout;
    assert.match(shown, /job 1: \w+ \(few,things\) → schema public: finished/);
    assert.match(
      shown,
      /2 of 2 collections finished\n {2}things {2}finished \(run 1\)\n {2}few {5}finished \(run 2\)/,
    );
  });

  it('shows what a job has failed at, and skipped', async () => {
    await sandbox.client.query('CREATE TABLE few AS SELECT 1 AS other');
    const nothing = sandbox.db.collection('nothing');
    await nothing.insertOne({ _id: 1 as never });
    await nothing.deleteMany({});
    const run = await runCli(['--json'], { ...env(), MONGO_COLLECTION: '*' });
    assert.equal(run.code, ExitCode.target);
    const failed = run.stdout.split('\n').find((line) => line.startsWith('{"kind":"failed"')) ?? '{}';
    const { source, code, message } = JSON.parse(failed) as { source: string; code: string; message: string };
    assert.match(source, /\.few$/);
    assert.deepEqual([code, /^the table .* already exists/.test(message)], ['TABLE_HAS_ROWS', true]);
    const { stdout } = await status();
    assert.match(stdout, /job 1: \w+ \(\*\) → schema public: stopped/);
    assert.match(stdout, /\n {2}few {6}failed: the table "public"\."few" already exists and has rows\n/);
    assert.match(stdout, /\n {2}nothing {2}skipped: the collection \w+\.nothing is empty\n/);
    assert.match(stdout, /next: run the same command again: it resumes with what is not finished/);
  });

  it('omits replaced runs, except with --all', async () => {
    await runCli([], env());
    await runCli(['--if-exists', 'drop'], env());
    assert.deepEqual(
      (await readStatus()).map(({ runId }) => runId),
      ['2'],
    );
    assert.deepEqual(
      (await readStatus('--all')).map(({ runId, state }) => [runId, state]),
      [
        ['2', 'finished'],
        ['1', 'replaced'],
      ],
    );
  });

  it('needs only read access to the ledger', async () => {
    await runCli(['--postgres-schema', 'closed'], env());
    const role = `${sandbox.mongoDb}_reader`;
    await sandbox.client.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA mongo2pg TO ${role};
       GRANT SELECT ON ALL TABLES IN SCHEMA mongo2pg TO ${role}`,
    );
    try {
      const url = new URL(sandbox.postgresUrl);
      url.username = role;
      url.password = 'reader';
      const { code, stdout, stderr } = await status([], url.href);
      assert.equal(code, ExitCode.ok, stderr);
      assert.match(stdout, /run 1: /);
    } finally {
      await sandbox.client.query(`DROP OWNED BY ${pg.escapeIdentifier(role)}; DROP ROLE ${role}`);
    }
  });
});
