/** Settings of a database, a role or a URL that change what text means: they affect no command. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Binary, Double, type Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { closePostgres, connectPostgres } from '../../../src/postgres/connection/connection.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { cleanUp } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import {
  dateStyles,
  listHostileSettings,
  listWith,
  optionOf,
  setClause,
  shadowSchema,
} from '../../support/session-settings.ts';

const databaseOf = ({ postgresUrl }: Pick<Sandbox, 'postgresUrl'>): string =>
  new URL(postgresUrl).pathname.slice(1);

describe('text means the same on every connection', () => {
  /** How values are read and written, and what a name refers to. */
  const probe = String.raw`
    SELECT '2024-02-03 04:05:06.789Z'::timestamptz AS moment, '01/02/2024'::date::text AS day,
           '2024-02-03 04:05'::timestamptz::text AS local, '2024-07-01 12:00 EST'::timestamptz AS abbreviated,
           interval '-1 2:03:04'::text AS span, (0.1::float8 + 0.2::float8)::text AS sum, point(0.1, 1e-20)::text AS spot,
           $1::bytea AS bytes, $1::bytea::pg_catalog.text AS hex, '{NULL,"NULL"}'::pg_catalog.text[] AS nulls,
           $2::pg_catalog.text[] AS list, 'a\b' AS backslash, E'it\'s\\' AS escaped, 'ÿ€' AS far,
           $3::pg_catalog.text AS farther, 'a<b/>'::xml::pg_catalog.text AS fragment, xmlelement(name a, $1::bytea)::pg_catalog.text AS element, (NULL = NULL) IS NULL AS unknown,
           format_type('pg_catalog.text'::regtype, -1) AS type, 'word'::text AS word, now() > '2020-01-01' AS late,
           (SELECT count(*) > 0 FROM pg_class) AS catalog, current_setting('transaction_isolation') AS isolation`;
  const values = [Buffer.from([0, 1, 92, 255]), ['a', null, 'NULL', 'b"\\'], 'ÿ€\u{1f600}'];

  let sandbox: Sandbox;
  let wanted: unknown;
  before(async () => {
    sandbox = await createSandbox();
    wanted = await read();
    await sandbox.client.query(shadowSchema);
  });
  after(async () => {
    await sandbox.remove();
  });

  async function read(url = sandbox.postgresUrl): Promise<unknown> {
    const connection = await connectPostgres(url, 'test');
    try {
      await assert.rejects(connection.client.query('SELECT 1 / 0'), /division by zero/);
      const { rows } = await connection.client.query<Document>(probe, values);
      return rows;
    } finally {
      await closePostgres(connection);
    }
  }

  it('by each setting of a database', async () => {
    const settings = await listHostileSettings(sandbox.client);
    assert.ok(settings.length > 40);
    const database = databaseOf(sandbox);
    for (const setting of settings) {
      await sandbox.client.query(`ALTER DATABASE ${database} ${setClause(setting)}`);
      assert.deepEqual(await read(), wanted, setting.join(' = '));
      await sandbox.client.query(`ALTER DATABASE ${database} RESET ALL`);
    }
  });

  it('by each setting in the URL', async () => {
    for (const setting of await listHostileSettings(sandbox.client)) {
      assert.deepEqual(await read(withOptions(sandbox, [optionOf(setting)])), wanted, setting.join(' = '));
    }
  });
});

it('a connection sends no startup parameter that PgBouncer refuses', async (t) => {
  const asked = new Set<string>();
  const server = createServer((socket) => {
    socket.once('data', (packet) => {
      // https://www.postgresql.org/docs/current/protocol-message-formats.html: length, version, pairs of texts
      const texts = packet.subarray(8).toString('latin1').split('\0');
      for (let index = 0; texts[index] !== undefined && texts[index] !== ''; index += 2) {
        asked.add(texts[index] ?? '');
      }
      socket.destroy();
    });
  });
  cleanUp(t, () => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await assert.rejects(
    connectPostgres(`postgres://user:password@127.0.0.1:${port}/school`, 'mongo2pg worker'),
  );
  assert.deepEqual([...asked].sort(), ['application_name', 'client_encoding', 'database', 'user']);
});

function withOptions({ postgresUrl }: Sandbox, options: readonly string[]): string {
  return `${postgresUrl}?options=${encodeURIComponent(options.join(' '))}`;
}

describe('all commands do the same with any settings of', () => {
  const amount = 60;
  const kept = Array.from({ length: amount }, (_, index) => ({
    _id: new Double(index + 1 / (index + 3)),
    at: new Date(Date.UTC(2024, index % 12, 1 + (index % 28), index % 24, 59, 59, 987)),
    day: new Date(Date.UTC(1900 + index, 1, 3)),
    clock: new Date(Date.UTC(2024, 2, 10, 2, 30, index)),
    span: `-${index} 2:03:04`,
    spot: `(${1 / (index + 3)},1e-20)`,
    during: '[2024-07-01 00:00,2024-07-02 00:00)',
    days: '[01/02/2024,05/03/2024)',
    bytes: new Binary(Uint8Array.of(0, 92, 39, index, 255), 0),
    tags: ['a', null, 'NULL', `b"\\${index}`, 'ÿ€'],
    cash: new Double(index + 0.25),
    note: index === 41 ? 'refused' : `it's \\ ${index}`,
    fragment: 'a<b/>',
    more: { at: new Date(0), ratio: 0.1 + 0.2 },
  }));
  const keptTable = `
    CREATE TABLE kept (
      _id double precision PRIMARY KEY, at timestamptz, day date, clock timestamp, span interval, spot point,
      during tstzrange, days daterange, bytes bytea, tags text[], cash money, note text, fragment xml, _extra jsonb,
      CONSTRAINT polite CHECK (note <> 'refused'))`;
  const things = kept.map(({ _id, at, bytes, note, more }) => ({ _id, at, bytes, note, more }));

  /** The rows, as text that means the same everywhere, of a run on a server without such settings. */
  let wanted: unknown;
  before(async () => {
    const sandbox = await setUp();
    try {
      const { code, stderr } = await run(sandbox, sandbox.postgresUrl, [], {
        MONGO_COLLECTION: 'kept,things',
      });
      assert.equal(code, ExitCode.deadLetters, stderr);
      wanted = await readTables(sandbox);
    } finally {
      await sandbox.remove();
    }
  });

  async function setUp(): Promise<Sandbox> {
    const sandbox = await createSandbox();
    await sandbox.db.collection<{ _id: Double }>('kept').insertMany(kept);
    await sandbox.db.collection<{ _id: Double }>('things').insertMany(things);
    const partialFilterExpression = { at: { $gt: new Date('2024-05-06T07:08:09Z') } };
    await sandbox.db.command({
      createIndexes: 'things',
      indexes: [{ key: { at: 1 }, name: 'late', partialFilterExpression }],
    });
    await sandbox.client.query(keptTable);
    return sandbox;
  }

  async function readTables({ client }: Sandbox): Promise<unknown> {
    const { rows } = await client.query<Document>(
      `SELECT (SELECT array_agg(k::text ORDER BY _id) FROM kept k) AS kept,
              (SELECT array_agg(t::text ORDER BY _id) FROM things t) AS things,
              (SELECT array_agg(indexdef ORDER BY indexdef) FROM pg_indexes WHERE tablename = 'things') AS indexes`,
    );
    return rows;
  }

  function run(
    sandbox: Sandbox,
    postgresUrl: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CliResult> {
    return runCli(args, {
      ...sandbox.env,
      POSTGRES_URL: postgresUrl,
      MONGO_COLLECTION: '*',
      CLUSTER_IMPLEMENTATION: 'inline',
      CLUSTER_SIZE: '2',
      ITEMS_PER_PAGE: '10',
      ...env,
    });
  }

  /** @returns the URL for the commands */
  type Place = (sandbox: Sandbox, t: TestContext) => Promise<string>;
  const places: readonly (readonly [where: string, style: string, use: Place])[] = [
    ['the database', dateStyles[0], ofDatabase],
    ['the role', dateStyles[1], ofRole],
    ['the URL', dateStyles[2], ofUrl],
  ];

  async function ofDatabase(sandbox: Sandbox): Promise<string> {
    for (const setting of await listWith(sandbox.client, dateStyles[0])) {
      await sandbox.client.query(`ALTER DATABASE ${databaseOf(sandbox)} ${setClause(setting)}`);
    }
    return sandbox.postgresUrl;
  }

  /** A role that is no superuser, and owns everything. */
  async function ofRole(sandbox: Sandbox, t: TestContext): Promise<string> {
    const database = databaseOf(sandbox);
    const role = `${database}_owner`;
    await sandbox.client.query(`
      CREATE ROLE ${role} LOGIN PASSWORD 'secret';
      ALTER DATABASE ${database} OWNER TO ${role};
      ALTER TABLE kept OWNER TO ${role}`);
    for (const setting of await listWith(sandbox.client, dateStyles[1])) {
      await sandbox.client.query(`ALTER ROLE ${role} ${setClause(setting)}`);
    }
    const url = new URL(sandbox.postgresUrl);
    url.username = role;
    url.password = 'secret';
    cleanUp(t, () =>
      sandbox.client.query(
        `REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`,
      ),
    );
    return url.href;
  }

  async function ofUrl(sandbox: Sandbox): Promise<string> {
    const settings = await listWith(sandbox.client, dateStyles[2]);
    return withOptions(sandbox, settings.map(optionOf));
  }

  for (const [where, style, use] of places) {
    it(`${where}, with the DateStyle ${style}`, async (t) => {
      const sandbox = await setUp();
      cleanUp(t, () => sandbox.remove());
      await sandbox.client.query(shadowSchema);
      const url = await use(sandbox, t);
      const does = async (
        args: readonly string[],
        code: number,
        env: Readonly<Record<string, string>> = {},
      ) => {
        const result = await run(sandbox, url, args, env);
        assert.equal(result.code, code, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
        return result;
      };

      await does(['plan', '--mongo-collection', 'kept'], ExitCode.ok);
      assert.match((await does(['--dry-run'], ExitCode.ok)).stdout, /would begin a new run/);
      const failpoints = await setFailpoints(t, { 'worker-before-commit': 'kill@3' });
      assert.equal((await run(sandbox, url, [], failpoints.env)).signal, 'SIGKILL');
      assert.match((await does(['status'], ExitCode.ok)).stdout, /: stopped\n(.*\n)* +next: /);
      assert.match(
        (await does(['--dry-run'], ExitCode.ok)).stdout,
        /would continue run 1 \(.*started 2\d{3}-/,
      );
      assert.match((await does([], ExitCode.deadLetters)).stderr, /continuing run 1 .*started 2\d{3}-/);
      assert.deepEqual(await readTables(sandbox), wanted);
      assert.equal((await does(['verify'], ExitCode.ok)).stdout.match(/are equal/g)?.length, 2);

      const { jobs, runs } = JSON.parse((await does(['status', '--json'], ExitCode.ok)).stdout) as {
        jobs: { startedAt: string; finishedAt: string }[];
        runs: { startedAt: string; finishedAt: string }[];
      };
      assert.deepEqual([jobs.length, runs.length], [1, 2]);
      for (const { startedAt, finishedAt } of [...jobs, ...runs]) {
        const [started, finished] = [Date.parse(startedAt), Date.parse(finishedAt)];
        assert.ok(
          started <= finished && Math.abs(finished - Date.now()) < 600_000,
          `${startedAt} ${finishedAt}`,
        );
      }

      await sandbox.client.query('ALTER TABLE kept DROP CONSTRAINT polite');
      const one = { MONGO_COLLECTION: 'kept' };
      assert.match((await does(['retry'], ExitCode.ok, one)).stderr, /1 dead letter loaded, 0 left/);
      await does(['verify'], ExitCode.ok, one);
      await sandbox.client.query(`
        UPDATE kept SET at = at + interval '1 ms', spot = point(spot[0] + 1e-12, spot[1]), tags[2] = 'NULL'
         WHERE _id = 1 / 3::float8`);
      const differs = await does(['verify'], ExitCode.different, one);
      assert.match(
        differs.stdout,
        /column "at": "2024-01-01 00:59:59.987\+00" .*"2024-01-01 00:59:59.988\+00"/,
      );
      assert.match(
        differs.stdout,
        /column "spot": "\(0.3333333333333333,1e-20\)" .*"\(0.3333333333343333,1e-20\)"/,
      );
      assert.match(differs.stdout, /column "tags": "\{a,NULL,/);
    });
  }
});
