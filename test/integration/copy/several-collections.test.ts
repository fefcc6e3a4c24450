import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { assertEqualTable } from '../../support/compare.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const sizes = { large: 3_000, middle: 200, small: 3 } as const;

describe('several collections in one run', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    for (const [name, count] of Object.entries(sizes)) {
      const documents = Array.from({ length: count }, (_, index) => ({
        _id: index as never,
        name: `${name} ${index}`,
        [name]: index % 2 === 0,
      }));
      await sandbox.db.collection(name).insertMany(documents);
    }
  });
  after(async () => {
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query(
      `DROP TABLE IF EXISTS large, middle, small; DROP SCHEMA IF EXISTS mongo2pg CASCADE;
       ALTER DATABASE ${sandbox.mongoDb} CONNECTION LIMIT -1`,
    );
  });

  function run(env: Record<string, string>, ...args: string[]) {
    return runCli(args, { ...sandbox.env, MONGO_COLLECTION: '*', CLUSTER_SIZE: '2', ...env });
  }

  /** There are connections for one at a time only: they are copied in the order of their size, the largest first. */
  async function takeOneByOne(): Promise<void> {
    await sandbox.client.query(`ALTER DATABASE ${sandbox.mongoDb} CONNECTION LIMIT 6`);
  }

  async function assertAllEqual(): Promise<void> {
    for (const name of Object.keys(sizes)) {
      await assertEqualTable(sandbox.db.collection(name), sandbox.client, name);
    }
  }

  async function readRuns(): Promise<string[]> {
    const { rows } = await sandbox.client.query<{ table_name: string }>(
      'SELECT table_name FROM mongo2pg.runs ORDER BY table_name',
    );
    return rows.map(({ table_name: name }) => name);
  }

  it('all of a database, the largest first, with a line for each', async () => {
    const { code, stdout } = await run({});
    assert.equal(code, ExitCode.ok);
    assert.deepEqual(await readRuns(), ['large', 'middle', 'small']);
    const lines = stdout
      .split('\n')
      .flatMap((line) => /^\w+\.(\w+) {2} +[\d,]+ +[\d,]+ +0 /.exec(line)?.[1] ?? []);
    assert.deepEqual(lines, ['large', 'middle', 'small'], 'whichever came to its end first');
    assert.match(stdout, /\.large {2} +3,000 +3,000 +0 /);
    assert.match(stdout, /3 collections +3,203 +3,203 +0 /);
    await assertAllEqual();
  });

  it('by names, patterns and exclusions', async () => {
    const { code } = await run({ MONGO_COLLECTION: 'l*,s*,middle', EXCLUDE_COLLECTIONS: 'middle' });
    assert.equal(code, ExitCode.ok);
    assert.deepEqual(await readRuns(), ['large', 'small']);
  });

  it('one that fails does not fail the others', async () => {
    await sandbox.client.query('CREATE TABLE middle (other text); INSERT INTO middle VALUES (1)');
    const { code, stdout, stderr } = await run({});
    assert.equal(code, ExitCode.target);
    assert.match(stderr, /error: \w+\.middle: the table "public"\."middle" already exists and has rows/);
    assert.match(stdout, /\.middle +failed/);
    await sandbox.client.query('DROP TABLE middle');
    const second = await run({});
    assert.equal(second.code, ExitCode.ok);
    assert.match(second.stderr, /\.large is copied already/);
    await assertAllEqual();
  });

  it('a run that was killed resumes where it was, also with --if-exists drop', async (t) => {
    await takeOneByOne();
    const failpoints = await setFailpoints(t, { 'primary-before-finish': 'kill@2' });
    const killed = await run(failpoints.env, '--if-exists', 'drop');
    assert.equal(killed.signal, 'SIGKILL');
    const { code, stderr } = await run({}, '--if-exists', 'drop');
    assert.equal(code, ExitCode.ok, stderr);
    // One was finished, and one partly copied.
    assert.equal(stderr.match(/ is copied already/g)?.length, 1);
    assert.match(stderr, /continuing run \d+ \(/);
    assert.deepEqual(await readRuns(), ['large', 'middle', 'small']);
    await assertAllEqual();
  });

  it('a collection that was started and is now missing or empty fails; one that was not started is skipped with a notice', async (t) => {
    const middle = sandbox.db.collection('middle');
    const [documents, small] = await Promise.all([
      middle.find().toArray(),
      sandbox.db.collection('small').find().toArray(),
    ]);
    await takeOneByOne();
    const failpoints = await setFailpoints(t, { 'primary-before-finish': 'kill@2' });
    assert.equal((await run(failpoints.env)).signal, 'SIGKILL');
    try {
      await middle.deleteMany({});
      await sandbox.db.collection('small').drop();
      const emptied = await run({});
      assert.equal(emptied.code, ExitCode.source, emptied.stderr);
      assert.match(emptied.stderr, /error: \w+\.middle: .*middle is empty, and run 2 .* is not finished/);
      assert.match(emptied.stderr, /\.small is skipped: it no longer exists/);
      await middle.drop();
      const dropped = await run({});
      assert.equal(dropped.code, ExitCode.source, dropped.stderr);
      assert.match(
        dropped.stderr,
        /error: \w+\.middle: .*has no collection .*, and run 2 .* is not finished/,
      );
      const { rows } = await sandbox.client.query(
        'SELECT FROM mongo2pg.jobs j JOIN mongo2pg.runs r USING (job_id) WHERE run_id = 2 AND (j.finished_at, r.finished_at) IS NULL',
      );
      assert.equal(rows.length, 1, 'neither the job nor the run is finished');
    } finally {
      await middle.deleteMany({});
      await middle.insertMany(documents);
      await sandbox.db.collection('small').insertMany(small);
    }
  });

  it('an empty collection is skipped with a notice, also when the others are verified', async () => {
    const empty = sandbox.db.collection('empty');
    await empty.insertOne({ _id: 1 as never });
    await empty.deleteMany({});
    const { code, stdout, stderr } = await run({}, '--verify');
    assert.equal(code, ExitCode.ok, stderr);
    assert.equal(stderr.match(/skipped: the collection \w+\.empty is empty/g)?.length, 2);
    assert.equal(stdout.match(/are equal/g)?.length, 3);
  });
});
