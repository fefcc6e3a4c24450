import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { withMongoUser } from '../../support/mongo-url.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';

/** Otherwise each case would wait the ten seconds that a server has to answer. */
const givenUpSoon = 'serverSelectionTimeoutMS=500';

describe('a refusal says how to fix it', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.db.collection<{ _id: number }>('users').insertOne({ _id: 1 });
  });
  after(async () => {
    await sandbox.remove();
  });

  /** Runs the command, and expects one line on standard error that begins with "error:". */
  async function refusal(env: Record<string, string>, args: string[] = []) {
    const { code, stdout, stderr } = await runCli(args, { ...sandbox.env, ...env });
    const errors = stderr.split('\n').filter((line) => line.startsWith('error:'));
    assert.equal(errors.length, 1, stderr);
    assert.equal(stderr.trimEnd().split('\n').at(-1), errors[0], 'the error comes last');
    assert.doesNotMatch(stderr + stdout, /s3cret/);
    return { code, error: errors[0] ?? '' };
  }

  function postgresUrlWith(change: (url: URL) => void): string {
    const url = new URL(sandbox.postgresUrl);
    change(url);
    return url.href;
  }

  it('an unknown flag', async () => {
    const { code, error } = await refusal({}, ['--mongo-uri', 'x']);
    assert.equal(code, ExitCode.usage);
    assert.match(error, /[Uu]nknown argument.*mongo-uri.*--help/);
  });

  it('a negative size', async () => {
    const { code, error } = await refusal({}, ['--cluster-size', '-1']);
    assert.equal(code, ExitCode.usage);
    assert.match(error, /--cluster-size must be auto or a whole number from 1 to 1000, not "-1"/);
  });

  it('one URL without the other', async () => {
    const { code, error } = await refusal({ POSTGRES_URL: '' });
    assert.equal(code, ExitCode.usage);
    assert.match(error, /MONGO_URL is set but POSTGRES_URL is not — .*POSTGRES_URL=embedded/);
  });

  it('no MongoDB at the address', async () => {
    const { code, error } = await refusal({
      MONGO_URL: `mongodb://user:s3cret@127.0.0.1:${await closedPort()}/?${givenUpSoon}`,
    });
    assert.equal(code, ExitCode.source);
    assert.match(error, /no MongoDB answers at 127\.0\.0\.1:\d+ — start the server/);
  });

  it('no PostgreSQL at the address', async () => {
    const { code, error } = await refusal({
      POSTGRES_URL: `postgres://user:s3cret@127.0.0.1:${await closedPort()}/db`,
    });
    assert.equal(code, ExitCode.target);
    assert.match(error, /no PostgreSQL answers at 127\.0\.0\.1:\d+\/db — start the server/);
  });

  it('an unknown host', async () => {
    const target = await refusal({ POSTGRES_URL: 'postgres://user:s3cret@no-such-host.invalid/db' });
    assert.equal(target.code, ExitCode.target);
    assert.match(target.error, /host of POSTGRES_URL .* cannot be resolved/);
    const source = await refusal({
      MONGO_URL: `mongodb://user:s3cret@no-such-host.invalid/?${givenUpSoon}`,
    });
    assert.equal(source.code, ExitCode.source);
    assert.match(source.error, /host of MONGO_URL .* cannot be resolved/);
  });

  it('a wrong password for PostgreSQL', async () => {
    const { code, error } = await refusal({
      POSTGRES_URL: postgresUrlWith((url) => (url.password = 's3cret')),
    });
    assert.equal(code, ExitCode.target);
    assert.match(
      error,
      /refused the password of user "postgres" — correct user and password in POSTGRES_URL/,
    );
  });

  it('a wrong password for MongoDB', async () => {
    const { code, error } = await refusal({ MONGO_URL: withMongoUser(mongoUrl, 'user', 's3cret') });
    assert.equal(code, ExitCode.source);
    assert.match(error, /refused user or password — correct them in MONGO_URL/);
  });

  it('a missing PostgreSQL database', async () => {
    const { code, error } = await refusal({
      POSTGRES_URL: postgresUrlWith((url) => (url.pathname = 'nowhere')),
    });
    assert.equal(code, ExitCode.target);
    assert.match(error, /has no database "nowhere" — create it \(createdb nowhere\)/);
  });

  it('a missing MongoDB database', async () => {
    const { code, error } = await refusal({ MONGO_DB: 'mongo2pg_nowhere' });
    assert.equal(code, ExitCode.source);
    assert.match(
      error,
      /no collection mongo2pg_nowhere\.users — the database .* does not exist: correct MONGO_DB/,
    );
  });

  it('a missing collection', async () => {
    const { code, error } = await refusal({ MONGO_COLLECTION: 'user' });
    assert.equal(code, ExitCode.source);
    assert.match(error, /no collection .*\.user — set MONGO_COLLECTION to one of: users/);
  });

  it('an empty collection', async () => {
    await sandbox.db.createCollection('nobody');
    const { code, error } = await refusal({ MONGO_COLLECTION: 'nobody' });
    assert.equal(code, ExitCode.source);
    assert.match(error, /nobody is empty — correct MONGO_DB and MONGO_COLLECTION/);
  });

  it('a table that has rows, which are kept', async () => {
    await sandbox.client.query('CREATE TABLE users (mine text)');
    await sandbox.client.query("INSERT INTO users VALUES ('keep')");
    const { code, error } = await refusal({});
    assert.equal(code, ExitCode.target);
    assert.match(error, /"public"\."users" already exists and has rows — .*--if-exists drop/);
    const { rows } = await sandbox.client.query('SELECT * FROM users');
    assert.deepEqual(rows, [{ mine: 'keep' }]);
    const { rows: schemas } = await sandbox.client.query("SELECT to_regnamespace('mongo2pg') AS ledger");
    assert.deepEqual(schemas, [{ ledger: null }], 'a refused run leaves nothing behind');
  });

  it('a table that the collection does not fit', async () => {
    const { code, error } = await refusal({}, ['--if-exists', 'append']);
    assert.equal(code, ExitCode.target);
    assert.match(error, /"public"\."users" does not fit the collection: there is no column for "_id"/);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
