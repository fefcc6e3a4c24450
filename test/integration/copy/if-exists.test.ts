import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('--if-exists, on the table of an earlier run', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });
  beforeEach(async () => {
    await sandbox.client.query('DROP TABLE IF EXISTS things');
    await setDocuments([1, 2, 3]);
    assert.equal((await migrate()).code, 0);
    await setDocuments([4, 5]);
  });

  async function setDocuments(ids: number[]): Promise<void> {
    const things = sandbox.db.collection<{ _id: number; name: string }>('things');
    // Dropped, so that it is another collection than the one that was copied.
    await things.drop();
    await things.insertMany(ids.map((_id) => ({ _id, name: `thing ${_id}` })));
  }

  function migrate(...args: string[]) {
    return runCli(args, { ...sandbox.env, MONGO_COLLECTION: 'things', CLUSTER_SIZE: '1' });
  }

  async function readIds(): Promise<number[]> {
    const { rows } = await sandbox.client.query<{ _id: number }>('SELECT _id FROM things ORDER BY _id');
    return rows.map(({ _id }) => _id);
  }

  it('refuses by default', async () => {
    assert.equal((await migrate()).code, ExitCode.target);
    assert.deepEqual(await readIds(), [1, 2, 3]);
  });

  it('drop recreates the table', async () => {
    await sandbox.client.query('ALTER TABLE things ADD COLUMN note text');
    assert.equal((await migrate('--if-exists', 'drop')).code, 0);
    assert.deepEqual(await readIds(), [4, 5]);
    await assert.rejects(sandbox.client.query('SELECT note FROM things'), /does not exist/);
  });

  it('truncate keeps the table and replaces its rows', async () => {
    await sandbox.client.query('ALTER TABLE things ADD COLUMN note text');
    assert.equal((await migrate('--if-exists', 'truncate')).code, 0);
    assert.deepEqual(await readIds(), [4, 5]);
    await sandbox.client.query('SELECT note FROM things');
  });

  it('append keeps the rows and adds to them', async () => {
    const { code, stdout } = await migrate('--if-exists', 'append');
    assert.equal(code, 0);
    assert.match(stdout, /5 rows in public\.things, counted by Postgres \(3 of them from before\)/);
    assert.deepEqual(await readIds(), [1, 2, 3, 4, 5]);
  });

  it('append names the row that prevents a missing key, and resumes once it is changed', async () => {
    await sandbox.client.query(
      "ALTER TABLE things DROP CONSTRAINT things_pkey; INSERT INTO things VALUES (1, 'another')",
    );
    const { code, stderr } = await migrate('--if-exists', 'append');
    assert.equal(code, ExitCode.target);
    assert.match(
      stderr,
      /primary key of "public"\."things" cannot be built: .*Key \(_id\)=\(1\) is duplicated/,
    );
    await sandbox.client.query("UPDATE things SET _id = 9 WHERE name = 'another'");
    const second = await migrate('--if-exists', 'append');
    assert.equal(second.code, ExitCode.ok, second.stderr);
    assert.deepEqual(await readIds(), [1, 2, 3, 4, 5, 9]);
  });

  it('leaves the keys of an existing table alone', async () => {
    await sandbox.client.query('DROP TABLE things');
    await sandbox.client.query('CREATE TABLE things (_id integer, name text, _extra jsonb)');
    assert.equal((await migrate()).code, 0);
    assert.deepEqual(await readIds(), [4, 5]);
    const { rowCount } = await sandbox.client.query(
      "SELECT FROM pg_constraint WHERE conrelid = 'things'::regclass AND contype = 'p'",
    );
    assert.equal(rowCount, 0);
  });

  it('append makes a duplicate row a dead letter, and reports it', async () => {
    await setDocuments([3, 4]);
    const { code, stdout } = await migrate('--if-exists', 'append');
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stdout, /1 because of refused \(23505: duplicate key value violates unique constraint/);
    assert.deepEqual(await readIds(), [1, 2, 3, 4]);
  });

  it('append of the collection that is already in the table adds nothing, and reports it', async () => {
    assert.equal((await migrate('--if-exists', 'drop')).code, 0);
    const { code, stderr } = await migrate('--if-exists', 'append');
    assert.equal(code, ExitCode.ok);
    assert.match(stderr, /is copied already: run \d+ .*: 2 rows, 0 dead letters; .*use --restart/);
    assert.deepEqual(await readIds(), [4, 5]);
  });
});
