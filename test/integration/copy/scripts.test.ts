/** SQL of the user's before a copy and after it: each once, whole or not at all, with the place of an error. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { plainPool, runCli } from '../../support/cli.ts';
import { makeDirectory } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { act, assertCode, setScene, type FaultRun, type Scene } from '../../support/fault.ts';
import { startFollowing } from '../../support/follow.ts';

const count = 120;

interface Scripted {
  readonly scene: Scene;
  /** Overwrites a script. @returns the variable that names it */
  readonly write: (stage: 'before' | 'after', sql: string | Uint8Array) => Promise<Record<string, string>>;
  /** @returns what the query gives as `what` */
  readonly ask: (sql: string) => Promise<unknown[]>;
}

async function setScripts(t: TestContext): Promise<Scripted> {
  const scene = await setScene(t, count, plainPool);
  const folder = await makeDirectory(t);
  await scene.query('CREATE TABLE carried_out (what text)');
  return {
    scene,
    write: async (stage, sql) => {
      const file = join(folder, `${stage}.sql`);
      await writeFile(file, sql);
      return { [stage === 'before' ? 'BEFORE_SQL' : 'AFTER_SQL']: file };
    },
    ask: async (sql) => (await scene.query<{ what: unknown }>(sql)).map(({ what }) => what),
  };
}

const carriedOut = 'SELECT what FROM carried_out';

function refused(run: FaultRun, code: string, exitCode: ExitCode, message: RegExp): void {
  assertCode(run, exitCode);
  assert.match(run.stdout, new RegExp(`"kind":"error","code":"${code}"`));
  assert.match(run.stderr, message);
}

describe('BEFORE_SQL and AFTER_SQL', () => {
  it('create the tables that are loaded, and views of them', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const env = {
      ...(await write(
        'before',
        `CREATE TABLE things (_id int PRIMARY KEY, text text, even boolean) PARTITION BY RANGE (_id);
         CREATE TABLE things_low PARTITION OF things FOR VALUES FROM (0) TO (50);
         CREATE TABLE things_high PARTITION OF things FOR VALUES FROM (50) TO (1000);`,
      )),
      ...(await write(
        'after',
        "DO $$ BEGIN RAISE NOTICE 'views are made'; END $$; CREATE VIEW even_things AS SELECT * FROM things WHERE even",
      )),
    };
    const run = await scene.run(env);
    assertCode(run, ExitCode.ok);
    assert.match(run.notices, /carrying out BEFORE_SQL[^]*carrying out AFTER_SQL\nAFTER_SQL: views are made/);
    await scene.assertEqual();
    assert.deepEqual(await ask('SELECT count(*)::int AS what FROM things_low'), [50]);
    assert.deepEqual(await ask('SELECT count(*)::int AS what FROM even_things'), [count / 2]);
  });

  it('are executed once: not by the same command again, also if their files have changed', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const before = await write('before', "INSERT INTO carried_out VALUES ('before')");
    const after = await write('after', "INSERT INTO carried_out VALUES ('after')");
    assertCode(await scene.run({ ...before, ...after }), ExitCode.ok);
    assert.deepEqual(await ask(carriedOut), ['before', 'after']);
    await write('after', "INSERT INTO carried_out VALUES ('changed')");
    const again = await scene.run({ ...before, ...after });
    assertCode(again, ExitCode.ok);
    assert.match(again.notices, /BEFORE_SQL was carried out already, [-\d]+ [:\d]+ UTC$/m);
    assert.match(
      again.notices,
      /AFTER_SQL was carried out already, .*; its file has changed since, and is not carried out/,
    );
    assert.deepEqual(await ask(carriedOut), ['before', 'after']);
  });

  for (const [how, args, more] of [
    ['from scratch', ['--restart'], {}],
    ['into a recreated table', [], { IF_EXISTS: 'drop' }],
  ] as const) {
    it(`are executed again by a copy that begins ${how}`, async (t) => {
      const { scene, write, ask } = await setScripts(t);
      const env = { ...(await write('after', "INSERT INTO carried_out VALUES ('after')")), ...more };
      assertCode(await scene.run(env), ExitCode.ok);
      assertCode(await scene.run(env, ...args), ExitCode.ok);
      assert.deepEqual(await ask(carriedOut), ['after', 'after']);
    });
  }

  it('are not executed again by a start that resumes', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const before = await write('before', "INSERT INTO carried_out VALUES ('before')");
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'kill' });
    assert.equal((await scene.run({ ...before, ...failpoints.env })).signal, 'SIGKILL');
    assertCode(await scene.run({ ...before, IF_EXISTS: 'drop' }), ExitCode.ok);
    assert.deepEqual(await ask(carriedOut), ['before']);
    await scene.assertEqual();
  });

  for (const [point, carriedOutThen] of [
    ['primary-in-script', []],
    ['primary-after-script', ['after']],
  ] as const) {
    it(`are executed once by a start that is killed at ${point} and the next`, async (t) => {
      const { scene, write, ask } = await setScripts(t);
      const after = await write('after', "INSERT INTO carried_out VALUES ('after')");
      const failpoints = await setFailpoints(t, { [point]: 'kill' });
      assert.equal((await scene.run({ ...after, ...failpoints.env })).signal, 'SIGKILL');
      assert.deepEqual(await ask(carriedOut), carriedOutThen);
      assertCode(await scene.run(after), ExitCode.ok);
      assert.deepEqual(await ask(carriedOut), ['after']);
    });
  }

  it('that fail are reported with their place, leave nothing behind, and are executed once they are correct', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const after = await write(
      'after',
      "INSERT INTO carried_out VALUES ('é');\nINSERT INTO nowhere VALUES (1);",
    );
    refused(
      await scene.run(after),
      'SCRIPT_FAILED',
      ExitCode.target,
      /AFTER_SQL failed at line 2, column 13: relation "nowhere" does not exist \(42P01\)/,
    );
    assert.deepEqual(await ask(carriedOut), []);
    await scene.assertEqual();
    await write('after', "INSERT INTO carried_out VALUES ('right')");
    assertCode(await scene.run(after), ExitCode.ok);
    assert.deepEqual(await ask(carriedOut), ['right']);
  });

  it('that fail before a copy prevent the copy', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const before = await write('before', 'CREATE INDEX CONCURRENTLY ON carried_out (what)');
    refused(
      await scene.run(before),
      'SCRIPT_FAILED',
      ExitCode.target,
      /BEFORE_SQL failed: CREATE INDEX CONCURRENTLY cannot/,
    );
    assert.deepEqual(await ask("SELECT to_regclass('things') AS what"), [null]);
  });

  for (const [statement, consequence] of [
    ['COMMIT', 'nothing of it was carried out'],
    ['ROLLBACK', 'the statements before that were rolled back'],
  ] as const) {
    it(`that say ${statement} are refused`, async (t) => {
      const { scene, write, ask } = await setScripts(t);
      const after = await write('after', `INSERT INTO carried_out VALUES (1); ${statement};`);
      refused(
        await scene.run(after),
        'SCRIPT_ENDS_TRANSACTION',
        ExitCode.target,
        new RegExp(`AFTER_SQL ends the transaction in which it is carried out; ${consequence}`),
      );
      assert.deepEqual(await ask(carriedOut), []);
      await write('after', 'INSERT INTO carried_out VALUES (2)');
      assertCode(await scene.run(after), ExitCode.ok);
      assert.deepEqual(await ask(carriedOut), ['2']);
    });
  }

  it('that copy from standard input are refused, as there is none', async (t) => {
    const { scene, write } = await setScripts(t);
    const after = await write('after', 'COPY carried_out FROM STDIN');
    refused(
      await scene.run(after),
      'SCRIPT_FAILED',
      ExitCode.target,
      /AFTER_SQL failed: COPY from stdin failed/,
    );
  });

  it('are cancelled by Ctrl-C, and executed by the next start', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const sql = 'INSERT INTO carried_out VALUES (1)';
    const after = await write('after', `${sql}; SELECT pg_sleep(600)`);
    const running = scene.start(after);
    const run = await act(running, async (event) => {
      if (event.kind !== 'notice' || !event.message.startsWith('carrying out')) return;
      for (;;) {
        const sleeping = await ask(
          "SELECT pid AS what FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()",
        );
        if (sleeping.length > 0) break;
      }
      running.process.kill('SIGINT');
    });
    assertCode(run, ExitCode.sigint);
    await write('after', sql);
    assertCode(await scene.run(after), ExitCode.ok);
    assert.deepEqual(await ask(carriedOut), ['1']);
  });

  it('wait for collections that could not be copied', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    await scene.otherCollection('others').insertOne({ a: 1 });
    await scene.query('CREATE TABLE others (a int); INSERT INTO others VALUES (1)');
    const env = {
      ...(await write('after', "INSERT INTO carried_out VALUES ('after')")),
      MONGO_COLLECTION: '*',
    };
    const run = await scene.run(env);
    assertCode(run, ExitCode.target);
    assert.match(run.notices, /AFTER_SQL is not carried out yet: 1 collection could not be copied/);
    await scene.query('DROP TABLE others');
    assertCode(await scene.run(env), ExitCode.ok);
    assert.deepEqual(await ask(carriedOut), ['after']);
  });

  it('of followed collections are executed after the cutover', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const after = await write('after', "INSERT INTO carried_out VALUES ('after')");
    const following = startFollowing({ ...scene.env, ...after });
    await following.until('following');
    assert.deepEqual(await ask(carriedOut), []);
    const cutover = await runCli(['cutover'], { ...scene.env });
    assert.equal(cutover.code, ExitCode.ok, cutover.stderr);
    assert.equal((await following.result).code, ExitCode.ok);
    assert.deepEqual(await ask(carriedOut), ['after']);
  });

  for (const [what, bytes] of [
    ['cannot be read \\(ENOENT\\)', null],
    ['is not text in UTF-8', Uint8Array.of(0xff, 0x41)],
    ['is not text in UTF-8', Uint8Array.of(0x41, 0)],
  ] as const) {
    it(`whose file ${what.replaceAll('\\', '')} are refused before anything is begun: ${String(bytes)}`, async (t) => {
      const { scene, write, ask } = await setScripts(t);
      const env = bytes === null ? { AFTER_SQL: '/nowhere/after.sql' } : await write('after', bytes);
      refused(await scene.run(env), 'SCRIPT_UNREADABLE', ExitCode.usage, new RegExp(`after\\.sql ${what}`));
      assert.deepEqual(await ask("SELECT to_regnamespace('mongo2pg') AS what"), [null]);
    });
  }

  it('a dry run reports what a start would do with them, and executes none', async (t) => {
    const { scene, write, ask } = await setScripts(t);
    const both = {
      ...(await write('before', "INSERT INTO carried_out VALUES ('before')")),
      ...(await write('after', "INSERT INTO carried_out VALUES ('after')")),
    };
    const look = async (env: Record<string, string>): Promise<string[]> => {
      const run = await runCli(['--dry-run', '--json'], { ...scene.env, ...env });
      assert.equal(run.code, ExitCode.ok, run.stderr);
      return run.stdout
        .split('\n')
        .filter((line) => line.includes('"kind":"dry-run-script"'))
        .map((line) => (JSON.parse(line) as { decision: string }).decision.replace(/\d{4}-.* UTC/, 'TIME'));
    };
    const would = [
      'BEFORE_SQL would be carried out first; what it creates is not there yet, and this dry run does without it',
      'AFTER_SQL would be carried out once everything is copied',
    ];
    assert.deepEqual(await look(both), would, 'without a ledger');
    assert.deepEqual(await ask(carriedOut), []);
    assertCode(await scene.start(both).result, ExitCode.ok);
    assert.deepEqual(await look(both), [
      'BEFORE_SQL was carried out already, TIME',
      'AFTER_SQL was carried out already, TIME',
    ]);
    assert.deepEqual(await look({ ...both, RESTART: '1' }), would);
    assert.deepEqual(await look({ ...both, IF_EXISTS: 'drop' }), would);
    await write('after', 'SELECT 1');
    const [, changed] = await look(both);
    assert.equal(
      changed,
      'AFTER_SQL was carried out already, TIME; its file has changed since, and is not carried out',
    );
    assert.deepEqual(await ask(carriedOut), ['before', 'after']);
  });
});
