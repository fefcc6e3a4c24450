import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import type { Finding } from '../../../src/run/doctor/finding.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { takeFailCommand } from '../../support/fail-command.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('npm run doctor', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.db.collection('things').insertMany([{ a: 1 }, { a: 2 }]);
    await sandbox.db.collection('others').insertOne({ b: 1 });
  });
  after(() => sandbox.remove());

  const examine = (env: Readonly<Record<string, string>>, ...flags: string[]): Promise<CliResult> =>
    runCli(['doctor', ...flags], { ...sandbox.env, MONGO_COLLECTION: '*', ...env });
  const parse = ({ stdout }: CliResult): Finding[] =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Finding);

  it('inspects both sides, and changes neither', async () => {
    const result = await examine({});
    assert.equal(result.code, ExitCode.ok, result.stderr);
    assert.match(result.stdout, /\nsource\n {2}ok {7}\S+ [\d.]+, a /);
    assert.match(result.stdout, /2 collections of \S+ can be read: /);
    assert.match(result.stdout, /\ntarget\n {2}ok {7}PostgreSQL \d/);
    assert.match(result.stdout, /no problems.*npm start -- --dry-run\n$/);
    const { rows } = await sandbox.client.query<{ ledger: string | null }>(
      "SELECT to_regnamespace('mongo2pg')::text AS ledger",
    );
    assert.equal(rows[0]?.ledger, null);
  });

  it('continues with the other side when one is unavailable, and exits as a migration would', async () => {
    const result = await examine({ MONGO_URL: 'mongodb://ann:secret@127.0.0.1:1/x' }, '--json');
    assert.equal(result.code, ExitCode.source);
    const findings = parse(result);
    const problems = findings.filter(({ state }) => state === 'problem');
    assert.deepEqual(
      problems.map(({ side, exitCode }) => ({ side, exitCode })),
      [{ side: 'source', exitCode: ExitCode.source }],
    );
    assert.ok(findings.some(({ side, state }) => side === 'target' && state === 'ok'));
    assert.doesNotMatch(result.stdout + result.stderr, /secret/);
  });

  it('names the statement for a missing privilege', async () => {
    const role = `${sandbox.db.databaseName}_doctor`;
    await sandbox.client.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM public`,
    );
    try {
      const url = new URL(sandbox.env.POSTGRES_URL ?? '');
      Object.assign(url, { username: role, password: 'x' });
      const result = await examine({ POSTGRES_URL: url.href });
      assert.equal(result.code, ExitCode.target, result.stdout);
      assert.match(result.stdout, new RegExp(`GRANT CREATE, USAGE ON SCHEMA "public" TO "${role}";`));
      assert.match(result.stdout, new RegExp(`GRANT CREATE ON DATABASE "\\w+" TO "${role}";`));
    } finally {
      await sandbox.client.query(`DROP ROLE ${role}`);
    }
  });

  it('names the privilege for an oplog that may not be read', async (t) => {
    const commands = await takeFailCommand(t, 'doctor-oplog');
    await commands.set('alwaysOn', { failCommands: ['find'], errorCode: 13 });
    const result = await examine({ MONGO_URL: commands.url });
    assert.ok((await commands.turnOff()) > 0);
    assert.match(
      result.stdout,
      /how far the oplog reaches back\n +grant the right to read it: db\.grantRolesToUser\(/,
    );
  });

  it('finds a database whose text was sorted by older rules', async (t) => {
    const { rows } = await sandbox.client.query<{ knows: boolean }>(
      `SELECT current_setting('server_version_num')::int >= 150000
              AND to_jsonb(d)->>'datcollversion' IS NOT NULL AS knows
         FROM pg_database d WHERE datname = current_database()`,
    );
    if (rows[0]?.knows !== true) {
      t.skip('this server has no versions of collations');
      return;
    }
    assert.doesNotMatch((await examine({})).stdout, /REFRESH COLLATION VERSION/);
    await sandbox.client.query(
      "UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()",
    );
    const result = await examine({});
    assert.equal(result.code, ExitCode.ok, result.stderr);
    assert.match(
      result.stdout,
      /advice {3}text is sorted by \S+, whose rules have changed from version 0 to /,
    );
    assert.match(result.stdout, /REINDEX DATABASE "\w+"; ALTER DATABASE "\w+" REFRESH COLLATION VERSION;/);
  });

  it('lists the existing collections if one is missing', async () => {
    const result = await examine({ MONGO_COLLECTION: 'absent' });
    assert.equal(result.code, ExitCode.source);
    assert.match(result.stdout, /PROBLEM {2}MongoDB has no collection absent\n.*there are: others, things/);
  });
});
