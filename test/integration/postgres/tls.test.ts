import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { chown, copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { ExitCode } from '../../../src/common/errors.ts';
import { Authority, lacksOpenssl, type Certificate } from '../../support/certificates.ts';
import { runCli } from '../../support/cli.ts';
import {
  startPrivatePostgres,
  type PostgresStopMode,
  type PrivateServer,
} from '../../support/private-servers.ts';
import { findPrimaryPort } from '../../support/mongo-url.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';
import { startTlsFront, type TlsFront } from '../../support/tls-front.ts';

describe('TLS with a private authority', { skip: lacksOpenssl() }, () => {
  let folder: string;
  let sandbox: Sandbox;
  let authority: Authority;
  let stranger: Authority;
  let server: Certificate;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-tls-'));
    authority = new Authority(folder, 'authority');
    stranger = new Authority(folder, 'stranger');
    server = authority.issue('server', 'IP:127.0.0.1');
    sandbox = await createSandbox();
    const documents = Array.from({ length: 300 }, (_, index) => ({ _id: index as never, text: 'text' }));
    await sandbox.db.collection('things').insertMany(documents);
  });
  after(async () => {
    await sandbox.remove();
    await rm(folder, { recursive: true });
  });

  /** Recreates the table, so that tests are independent. */
  function run(env: Readonly<Record<string, string>>) {
    const args = ['--if-exists', 'drop', '--restart'];
    return runCli(args, { ...sandbox.env, MONGO_COLLECTION: 'things', CLUSTER_SIZE: '2', ...env });
  }

  describe('in front of MongoDB, which requires client certificates', () => {
    let front: TlsFront;
    let client: Certificate;
    before(async () => {
      client = authority.issue('client');
      front = await startTlsFront(await findPrimaryPort(mongoUrl), server, authority.cert);
    });
    after(() => front.close());

    const runWith = (options: Readonly<Record<string, string>>) => {
      // A short server selection: each of these errors is permanent.
      const base = { tls: 'true', serverSelectionTimeoutMS: '1000', directConnection: 'true' };
      const query = new URLSearchParams({ ...base, ...options });
      return run({ MONGO_URL: `mongodb://127.0.0.1:${front.port}/?${query.toString()}` });
    };

    it('works by tlsCAFile and tlsCertificateKeyFile in the URL', async () => {
      const { code, stdout, stderr } = await runWith({
        tlsCAFile: authority.cert,
        tlsCertificateKeyFile: client.both,
        serverSelectionTimeoutMS: '30000',
      });
      assert.equal(code, ExitCode.ok, stderr);
      assert.match(stdout, /read 300 = copied 300/);
      assert.deepEqual([...new Set(front.clients)], ['client']);
    });

    for (const [what, options, message] of [
      [
        'of another authority than the one named',
        () => ({ tlsCAFile: stranger.cert, tlsCertificateKeyFile: client.both }),
        /an authority that this machine does not trust \(.*\) — name the file .*: tlsCAFile=.* in MONGO_URL/,
      ],
      [
        'of an authority that is not configured',
        () => ({ tlsCertificateKeyFile: client.both }),
        /an authority that this machine does not trust \(.*\) — name the file .*: tlsCAFile=.* in MONGO_URL/,
      ],
      [
        'of the client that is missing',
        () => ({ tlsCAFile: authority.cert }),
        /requires a client certificate, .* \(tlsv1\w* alert certificate required\) — name the file .*: tlsCertificateKeyFile=.* in MONGO_URL/,
      ],
    ] as const) {
      it(`a certificate ${what} is reported with the fix`, async () => {
        const { code, stderr } = await runWith(options());
        assert.equal(code, ExitCode.source, stderr);
        assert.match(stderr, message);
      });
    }

    it('TLS with a server that has none is reported with the fix', async () => {
      // As mongod does it: it checks the first bytes, and closes the connection.
      const plain = createServer((socket) => socket.once('data', () => socket.end()));
      plain.listen(0, '127.0.0.1');
      await once(plain, 'listening');
      const { port } = plain.address() as AddressInfo;
      const { code, stderr } = await run({
        MONGO_URL: `mongodb://127.0.0.1:${port}/?tls=true&serverSelectionTimeoutMS=1000`,
      });
      plain.close();
      assert.equal(code, ExitCode.source, stderr);
      assert.match(stderr, /MongoDB at [\d.:]+ does not speak TLS \(.*\) — leave out tls=true in MONGO_URL/);
    });
  });

  it('a missing file is reported before a server is contacted', async () => {
    const path = join(folder, 'nowhere.pem');
    for (const [name, url] of Object.entries({
      MONGO_URL: `mongodb://127.0.0.1/?tls=true&tlsCAFile=${path}`,
      POSTGRES_URL: `postgres://127.0.0.1/db?sslmode=verify-full&sslrootcert=${path}`,
    })) {
      const { code, stderr } = await run({ [name]: url });
      assert.equal(code, ExitCode.usage, stderr);
      assert.match(stderr, /nowhere\.pem, which \w+_URL names, cannot be read \(ENOENT\) — correct the path/);
    }
  });

  describe('of PostgreSQL', () => {
    let postgres: PrivateServer<PostgresStopMode>;
    before(async () => {
      postgres = await startPrivatePostgres();
      const admin = new pg.Client({ connectionString: postgres.url });
      await admin.connect();
      const { rows } = await admin.query<{ folder: string }>(
        "SELECT current_setting('data_directory') AS folder",
      );
      const data = rows[0]?.folder ?? '';
      const { uid, gid } = await stat(data);
      // Postgres reads its key only if no other user can; openssl created it so.
      for (const [name, path] of Object.entries({ 'server.crt': server.cert, 'server.key': server.key })) {
        await copyFile(path, join(data, name));
        await chown(join(data, name), uid, gid);
      }
      await admin.query('ALTER SYSTEM SET ssl = on');
      await admin.query('SELECT pg_reload_conf()');
      await admin.end();
    });
    after(() => postgres.remove());

    const runWith = (options: Readonly<Record<string, string>>, host = '127.0.0.1') => {
      const url = new URL(postgres.url);
      url.hostname = host;
      for (const [name, value] of Object.entries(options)) url.searchParams.set(name, value);
      return run({ POSTGRES_URL: url.href });
    };

    it('works by sslmode=verify-full and sslrootcert, in every connection', async () => {
      const { code, stdout, stderr } = await runWith({ sslmode: 'verify-full', sslrootcert: authority.cert });
      assert.equal(code, ExitCode.ok, stderr);
      assert.match(stdout, /300 rows in public\.things/);
    });

    for (const [what, options, host, message] of [
      [
        'of another authority',
        () => ({ sslmode: 'verify-full', sslrootcert: stranger.cert }),
        '127.0.0.1',
        /an authority that this machine does not trust \(.*\) — name the file .*: sslrootcert=.* in POSTGRES_URL/,
      ],
      [
        'for another name',
        () => ({ sslmode: 'verify-full', sslrootcert: authority.cert }),
        'localhost',
        /a certificate for another name .* — use a host name that the certificate has in POSTGRES_URL/,
      ],
    ] as const) {
      it(`a certificate ${what} is reported with the fix`, async () => {
        const { code, stderr } = await runWith(options(), host);
        assert.equal(code, ExitCode.target, stderr);
        assert.match(stderr, message);
      });
    }

    it('TLS with a server that has none is reported with the fix', async () => {
      const url = new URL(sandbox.postgresUrl);
      url.searchParams.set('sslmode', 'verify-full');
      const { code, stderr } = await run({ POSTGRES_URL: url.href });
      assert.equal(code, ExitCode.target, stderr);
      assert.match(stderr, /does not speak TLS .* — .*sslmode=disable in POSTGRES_URL/);
    });
  });
});
