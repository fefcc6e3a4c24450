import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('settings that a server gives to its sessions', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: 20_000 }, (_, index) => ({ _id: index as never, text: 'text' }));
    await sandbox.db.collection('users').insertMany(documents);
    await sandbox.db.collection('users').createIndex({ text: 1 });
  });
  after(async () => {
    await sandbox.remove();
  });

  async function migrateWith(setting: string, ...args: string[]) {
    const name = new URL(sandbox.postgresUrl).pathname.slice(1);
    await sandbox.client.query(`ALTER DATABASE ${name} SET ${setting}`);
    const result = await runCli(args.length === 0 ? ['--if-exists', 'drop'] : args, sandbox.env);
    await sandbox.client.query(`ALTER DATABASE ${name} RESET ALL`);
    return result;
  }

  it('a short statement_timeout does not end a COPY or an index build', async () => {
    const { code, stderr } = await migrateWith('statement_timeout = 5');
    assert.equal(code, 0, stderr);
  });

  for (const setting of ['transaction_timeout', 'idle_session_timeout']) {
    const skip = setting === 'transaction_timeout' && lacking('transactionTimeout');
    it(`a short ${setting} does not end a session`, { skip }, async () => {
      // Each COPY takes longer than that, while the session of the primary is idle.
      await sandbox.client.query(`
        DROP TABLE IF EXISTS users;
        CREATE TABLE users (_id integer, text text, _extra jsonb);
        CREATE OR REPLACE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
          AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
        CREATE TRIGGER slow AFTER INSERT ON users EXECUTE FUNCTION take_time()`);
      const { code, stdout, stderr } = await migrateWith(`${setting} = 300`, '--restart', '--json');
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout, /reconnecting/);
    });
  }

  for (const [setting, used] of [
    ['64MB', '256MB'],
    ['300MB', '300MB'],
  ] as const) {
    it(`keys and indexes are built with 256 MB at least: ${setting} becomes ${used}`, async () => {
      await sandbox.client.query(`
        CREATE TABLE IF NOT EXISTS builds (tag text, memory text);
        TRUNCATE builds;
        CREATE OR REPLACE FUNCTION note_memory() RETURNS event_trigger LANGUAGE plpgsql AS $$
          BEGIN INSERT INTO builds VALUES (tg_tag, current_setting('maintenance_work_mem')); END $$;
        DROP EVENT TRIGGER IF EXISTS note_memory;
        CREATE EVENT TRIGGER note_memory ON ddl_command_start
          WHEN TAG IN ('ALTER TABLE', 'CREATE INDEX') EXECUTE FUNCTION note_memory()`);
      const { code, stderr } = await migrateWith(`maintenance_work_mem = '${setting}'`);
      await sandbox.client.query('DROP EVENT TRIGGER note_memory');
      assert.equal(code, 0, stderr);
      const { rows } = await sandbox.client.query(
        "SELECT DISTINCT tag, memory FROM builds WHERE memory <> '64MB' ORDER BY tag",
      );
      assert.deepEqual(rows, [
        { tag: 'ALTER TABLE', memory: used },
        { tag: 'CREATE INDEX', memory: used },
      ]);
    });
  }

  it('a read-only database is refused with the fix', async () => {
    const { code, stderr } = await migrateWith('default_transaction_read_only = on');
    assert.equal(code, ExitCode.target);
    assert.match(stderr, /transactions are read-only here .* — use another user, or take the setting back/);
  });
});
