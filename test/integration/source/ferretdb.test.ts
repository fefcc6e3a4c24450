import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MongoClient, ObjectId, type Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { assertEqualTable } from '../../support/compare.ts';
import { startDnsServer } from '../../support/dns-server.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import type { RunningServer } from '../../support/child-server.ts';
import { lacksFerretDb, startFerretDb } from '../../support/ferretdb.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const user = { name: 'ada', password: 'p@ss word' };

/** A separate server, since it has users. */
describe('FerretDB 1, with users', { skip: lacksFerretDb() }, () => {
  let server: RunningServer;
  let client: MongoClient;
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    server = await startFerretDb(
      '--test-enable-new-auth',
      '--setup-database=people',
      `--setup-username=${user.name}`,
      `--setup-password=${user.password}`,
    );
    client = await MongoClient.connect(urlWith(user.password));
    const ids = [
      ...Array.from({ length: 200 }, (_, index) => index),
      'text',
      new ObjectId(),
      new Date(),
      null,
    ];
    const documents = ids.map((_id, position): Document => ({ _id, position }));
    await client.db('school').collection('things').insertMany(documents);
  });
  after(async () => {
    await client.close();
    await server.stop();
    await sandbox.remove();
  });

  function urlWith(password: string, mechanism = 'SCRAM-SHA-256'): string {
    const url = new URL(server.url);
    url.username = user.name;
    url.password = encodeURIComponent(password);
    url.searchParams.set('authMechanism', mechanism);
    url.searchParams.set('authSource', 'people');
    return url.href;
  }

  function run(url: string, env: Readonly<Record<string, string>> = {}, ...args: string[]) {
    return runCli(args, {
      ...sandbox.env,
      MONGO_URL: url,
      MONGO_DB: 'school',
      MONGO_COLLECTION: 'things',
      CLUSTER_SIZE: '1',
      ITEMS_PER_PAGE: '10',
      ...env,
    });
  }

  it('accepts a user by SCRAM-SHA-256; a killed run resumes among ids of all its types', async (t) => {
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@3' });
    const killed = await run(urlWith(user.password), failpoints.env);
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    assert.match(killed.stderr, /FerretDB v1\.24\.2 .* read through one cursor/);
    assert.match(killed.stderr, /no \$sample: columns are inferred from the first and the last/);
    const { code, stdout, stderr } = await run(urlWith(user.password));
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stderr, /continuing run 1/);
    assert.match(stdout, /204 rows in public\.things, counted by Postgres/);
    await assertEqualTable(client.db('school').collection('things'), sandbox.client, 'things');
    const verified = await run(urlWith(user.password), {}, 'verify');
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
  });

  it('accepts the user by the database in the TXT record of an SRV name', async () => {
    const dns = await startDnsServer({
      srv: {
        '_mongodb._tcp.ferret.mongo2pg.test': [
          { host: 'a.mongo2pg.test', port: Number(new URL(server.url).port) },
        ],
      },
      txt: { 'ferret.mongo2pg.test': 'authSource=people' },
    });
    try {
      const url = `mongodb+srv://${user.name}:${encodeURIComponent(user.password)}@ferret.mongo2pg.test/?tls=false`;
      const { code, stdout, stderr } = await run(url, dns.env, '--if-exists', 'drop', '--restart');
      assert.equal(code, ExitCode.ok, stderr);
      assert.match(stdout, /read 204 = copied 204/);
      const other = await run(`${url}&authSource=admin`, dns.env, '--if-exists', 'drop', '--restart');
      assert.equal(other.code, ExitCode.source);
      assert.match(
        other.stderr,
        /refused user or password — .* if the user is defined in another database, add/,
      );
    } finally {
      await dns.close();
    }
  });

  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-1']) {
    it(`refuses a wrong password by ${mechanism}, and the error says what to correct`, async () => {
      const { code, stderr } = await run(urlWith('wrong', mechanism));
      assert.equal(code, ExitCode.source);
      assert.match(stderr, /error: MongoDB at [\d.:]+ refused user or password — correct them in MONGO_URL/);
      assert.doesNotMatch(stderr, /wrong/);
    });
  }
});
