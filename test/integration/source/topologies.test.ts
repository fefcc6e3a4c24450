import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { findFreePort } from '../../../packages/trial-servers/src/port.ts';
import { startMongoServer, type MongoServer } from '../../../packages/trial-servers/src/mongo/server.ts';
import { ExitCode } from '../../../src/common/errors.ts';
import { connectMongo } from '../../../src/source/mongo/client.ts';
import { openCollection } from '../../../src/source/mongo/collection.ts';
import { Authority, lacksOpenssl } from '../../support/certificates.ts';
import { runCli } from '../../support/cli.ts';
import { startDnsServer, type DnsServer, type Zone } from '../../support/dns-server.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { startTlsFront } from '../../support/tls-front.ts';

const setName = 'rs-tests';

/** A replica set of two as a driver sees one: only the secondary has the documents, so that the result shows which member was read. */
describe('MongoDB as it is deployed', () => {
  let sandbox: Sandbox;
  let primary: MongoServer;
  let secondary: MongoServer;
  let hosts: readonly string[];
  before(async () => {
    sandbox = await createSandbox();
    const ports = [await findFreePort(), await findFreePort()] as const;
    hosts = ports.map((port) => `127.0.0.1:${port}`);
    const set = { setName, setVersion: 1, hosts, primary: hosts[0] };
    primary = await startMongoServer({ port: ports[0], hello: { ...set, me: hosts[0], secondary: false } });
    const role = { isWritablePrimary: false, ismaster: false, secondary: true };
    secondary = await startMongoServer({ port: ports[1], hello: { ...set, me: hosts[1], ...role } });
    await fill(primary.port, 1);
    await fill(secondary.port, 40);
  });
  after(async () => {
    await primary.close();
    await secondary.close();
    await sandbox.remove();
  });

  async function fill(port: number, count: number): Promise<void> {
    // A direct connection writes to a secondary, too: this server does not refuse it.
    const url = `mongodb://127.0.0.1:${port}/?directConnection=true&retryWrites=false`;
    const client = await MongoClient.connect(url);
    try {
      const documents = Array.from({ length: count }, (_, index) => ({ _id: index as never, of: port }));
      await client.db('school').collection('things').insertMany(documents);
    } finally {
      await client.close();
    }
  }

  function run(url: string, env: Readonly<Record<string, string>> = {}) {
    return runCli(['--if-exists', 'drop', '--restart'], {
      ...sandbox.env,
      MONGO_URL: url,
      MONGO_DB: 'school',
      MONGO_COLLECTION: 'things',
      CLUSTER_SIZE: '1',
      ITEMS_PER_PAGE: '10',
      ...env,
    });
  }

  for (const [mode, count] of [
    ['primary', 1],
    ['secondary', 40],
  ] as const) {
    it(`a replica set is read from its ${mode} when the URL says so`, async () => {
      const url = `mongodb://${hosts.join(',')}/?replicaSet=${setName}&readPreference=${mode}`;
      const { code, stdout, stderr } = await run(url);
      assert.equal(code, ExitCode.ok, stderr);
      assert.match(stdout, new RegExp(`read ${count} = copied ${count} `));
    });
  }

  it('every page is requested with its read preference, also from a mongos', async () => {
    const mongos = await startMongoServer({ replicaSet: null, hello: { msg: 'isdbgrid' } });
    await fill(mongos.port, 40);
    const url = `mongodb://127.0.0.1:${mongos.port}/?readPreference=secondary&readPreferenceTags=use:reports`;
    const client = await connectMongo(url, { monitorCommands: true });
    try {
      const asked: unknown[] = [];
      client.on('commandStarted', ({ command }) => {
        // Plain objects, as the driver makes some without a prototype.
        if ('find' in command) asked.push(structuredClone(command.$readPreference));
      });
      const place = { url, db: 'school', collection: 'things', retryLimitMs: 0, answerTimeoutMs: 0 };
      const source = await openCollection(client, place);
      let count = 0;
      for await (const page of source.pages({ after: null, until: null }, 10)) count += page.documentCount;
      assert.equal(count, 40);
      // One to see if there are any documents; four pages, and an empty one in each step of the last.
      assert.equal(asked.length, 7);
      for (const preference of asked) {
        assert.deepEqual(preference, { mode: 'secondary', tags: [{ use: 'reports' }] });
      }
    } finally {
      await client.close();
      await mongos.close();
    }
  });

  it('a replica set of another name is reported', async () => {
    const { code, stderr } = await run(
      `mongodb://${hosts.join(',')}/?replicaSet=other&serverSelectionTimeoutMS=1000`,
    );
    assert.equal(code, ExitCode.source);
    assert.match(
      stderr,
      /error: no MongoDB at [\d.:,]+ is of the replica set other — correct replicaSet in MONGO_URL/,
    );
  });

  describe('by SRV', () => {
    let dns: DnsServer;
    const zone: { -readonly [Key in keyof Zone]: Record<string, Zone[Key][string]> } = { srv: {}, txt: {} };
    before(async () => {
      dns = await startDnsServer(zone);
    });
    after(() => dns.close());

    it('takes hosts from DNS, and the options of the TXT record', async () => {
      zone.srv['_mongodb._tcp.plain.mongo2pg.test'] = [
        { host: 'a.mongo2pg.test', port: primary.port },
        { host: 'b.mongo2pg.test', port: secondary.port },
      ];
      zone.txt['plain.mongo2pg.test'] = `replicaSet=${setName}`;
      const { code, stdout, stderr } = await run(
        'mongodb+srv://plain.mongo2pg.test/?tls=false&readPreference=secondary',
        dns.env,
      );
      assert.equal(code, ExitCode.ok, stderr);
      assert.match(stdout, /read 40 = copied 40 /);
      // The option came from there: with another name, the set is rejected.
      zone.txt['plain.mongo2pg.test'] = 'replicaSet=other';
      const other = await run(
        'mongodb+srv://plain.mongo2pg.test/?tls=false&serverSelectionTimeoutMS=1000',
        dns.env,
      );
      assert.equal(other.code, ExitCode.source);
      assert.match(other.stderr, /is of the replica set other — correct replicaSet .* TXT record/);
    });

    it('uses TLS by default, with the name from DNS', { skip: lacksOpenssl() }, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-tls-'));
      // The hosts in the answer of a member would bypass the TLS front.
      const standalone = await startMongoServer({ replicaSet: null });
      await fill(standalone.port, 40);
      const authority = new Authority(folder, 'authority');
      const front = await startTlsFront(standalone.port, authority.issue('server', 'DNS:*.mongo2pg.test'));
      try {
        zone.srv['_mongodb._tcp.safe.mongo2pg.test'] = [{ host: 'c.mongo2pg.test', port: front.port }];
        const { code, stdout, stderr } = await run(
          `mongodb+srv://safe.mongo2pg.test/?tlsCAFile=${authority.cert}`,
          dns.env,
        );
        assert.equal(code, ExitCode.ok, stderr);
        assert.match(stdout, /read 40 = copied 40 /);
      } finally {
        await front.close();
        await standalone.close();
        await rm(folder, { recursive: true });
      }
    });

    it('an unknown DNS name is reported', async () => {
      const { code, stderr } = await run('mongodb+srv://user:s3cret@nowhere.mongo2pg.test/', dns.env);
      assert.equal(code, ExitCode.source);
      assert.match(
        stderr,
        /the host of MONGO_URL \(nowhere\.mongo2pg\.test\) cannot be resolved — correct the host/,
      );
      assert.doesNotMatch(stderr, /s3cret/);
    });
  });
});
