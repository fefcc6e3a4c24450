import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { runCli } from '../../../../test/support/cli.ts';
import { makeServerFolder } from '../../../../test/support/server-folder.ts';

/** The first steps of a new user, in this order. */
describe('npm start without any URL', () => {
  let dataDir = '';
  before(async () => {
    dataDir = await makeServerFolder();
  });
  after(async () => {
    await rm(dataDir, { recursive: true, force: true });
  });

  function run(args: string[], env: Record<string, string> = {}) {
    return runCli(args, { DATA_DIR: dataDir, AMOUNT_USERS_SEED: '2000', CLUSTER_SIZE: '2', ...env });
  }

  it('a dry run reports that a start would seed', async () => {
    const { code, stdout, stderr } = await run(['--dry-run']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /school\.users: is empty: a start would fill it with users first/);
    assert.doesNotMatch(stderr, /seeding/);
  });

  it('seeds, migrates, and prints how to query the result', async () => {
    const { code, stdout, stderr } = await run([]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /school\.users: 2,000 users inserted/);
    assert.match(stdout, /read 2,000 = copied 2,000 \+ dead-lettered 0/);
    assert.ok(stdout.includes(dataDir), 'says where the data is');
    assert.match(stdout, /npm run servers -- psql -c 'SELECT \* FROM "public"\."users" LIMIT 5'/);
    assert.match(stdout, /MONGO_URL=\S+ POSTGRES_URL=\S+ npm start/);
  });

  it('works a second time, without seeding again', async () => {
    const { code, stdout, stderr } = await run([]);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /seeding/);
    assert.match(stdout, /read 2,000 = copied 2,000/);
    assert.match(stdout, /2,000 rows in public\.users/);
  });

  it('migrates documents that npm run seed has recreated', async () => {
    const seeded = await run(['seed'], { AMOUNT_USERS_SEED: '3000' });
    assert.equal(seeded.code, 0, seeded.stderr);
    const { code, stdout, stderr } = await run([], { AMOUNT_USERS: '2999' });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /3,000 rows in public\.users/);
    assert.match(stderr, /warning: AMOUNT_USERS says 2,999, but 3,000 documents came/);
  });

  it('does not drop an existing table of the user', async () => {
    const query = (text: string): string[] => [
      'servers',
      process.execPath,
      '--input-type=module',
      '-e',
      `import pg from ${JSON.stringify(import.meta.resolve('pg'))};
       const client = new pg.Client({ connectionString: process.env.POSTGRES_URL });
       await client.connect();
       console.log(JSON.stringify((await client.query(${JSON.stringify(text)})).rows ?? null));
       await client.end();`,
    ];
    const created = await run(query('CREATE TABLE pets AS SELECT 1 AS mine'));
    assert.equal(created.code, 0, created.stderr);
    const { code, stderr } = await run([], { MONGO_COLLECTION: 'pets' });
    assert.equal(code, 4, stderr);
    assert.match(stderr, /already exists and has rows/);
    const { stdout } = await run(query('SELECT * FROM pets'));
    assert.equal(stdout.trim(), '[{"mine":1}]');
  });
});
