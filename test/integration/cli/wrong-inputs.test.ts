import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { serialize } from 'bson';
import { runCommandLine } from '../../../src/cli/command-line.ts';
import { MigrationError } from '../../../src/common/errors.ts';
import { runCli, startCli } from '../../support/cli.ts';
import { CapturedOutput } from '../../support/captured-output.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';
import { listWrongInputs, type Place, type WrongInput } from '../../support/wrong-inputs.ts';
import { password, wrongPlans } from '../../support/wrong-plans.ts';

/** Only for their titles and their number: the addresses in them are replaced once there are servers. */
const nowhere: Place = {
  folder: '/folder',
  mongoUrl: 'mongodb://h',
  postgresUrl: 'postgres://p/d',
  takenPort: 1,
};
const count = listWrongInputs(nowhere).length;

describe('a wrong input', () => {
  let sandbox: Sandbox;
  let inputs: WrongInput[];
  let folder: string;
  let listener: Server;

  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-wrong-'));
    await writeFiles(folder);
    await fill(sandbox);
    listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { postgresUrl } = sandbox;
    inputs = listWrongInputs({
      folder,
      mongoUrl,
      postgresUrl,
      takenPort: (listener.address() as AddressInfo).port,
    });
  });
  after(async () => {
    listener.close();
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });

  /** In this process, as the program runs it. */
  async function refusal({ args, env }: WrongInput): Promise<MigrationError> {
    try {
      const exitCode = await runCommandLine(args, {
        env: { CLUSTER_IMPLEMENTATION: 'inline', ...sandbox.env, ...env },
        output: new CapturedOutput().output,
      });
      assert.fail(`was not refused: exit code ${exitCode}`);
    } catch (error) {
      if (error instanceof MigrationError) return error;
      throw error;
    }
  }

  it('is one of at least 150', () => {
    assert.ok(count >= 150, String(count));
  });

  for (const [index, { args, env, code }] of listWrongInputs(nowhere).entries()) {
    const shown = [...Object.entries(env).map((entry) => entry.join('=')), ...args].join(' ').slice(0, 80);
    it(`${index}, ${code}: ${JSON.stringify(shown)}`, async () => {
      const input = inputs[index];
      assert.ok(input !== undefined);
      const error = await refusal(input);
      const line = error.fix === '' ? error.message : `${error.message} — ${error.fix}`;
      assert.deepEqual(
        { code: error.code, exitCode: error.exitCode },
        { code, exitCode: input.exitCode },
        line,
      );
      assert.match(line, input.says);
      assert.ok(!line.includes('\n'), 'it is one line');
      const everything = inspect(error, { depth: Infinity }) + JSON.stringify(error);
      for (const secret of [password, new URL(sandbox.postgresUrl).password]) {
        assert.ok(secret === '' || !everything.includes(secret), everything);
      }
    });
  }
});

describe('a wrong input to the program', () => {
  const urls = {
    MONGO_URL: `mongodb://user:${password}@h`,
    POSTGRES_URL: `postgres://user:${password}@h/db`,
  };

  for (const [args, env, exitCode, code] of [
    [['--json', '--dry-run=maybe'], urls, 2, 'OPTION_INVALID'],
    [['--json', urls.MONGO_URL], {}, 2, 'COMMAND_LINE'],
    [['seed', '--json'], { MONGO_URL: `${urls.MONGO_URL}/?nonsense=1` }, 2, 'MONGO_URL_OPTIONS'],
    [
      ['status'],
      { ...urls, JSON_LINES: 'on', POSTGRES_SCHEMA: urls.POSTGRES_URL, RETRY_SECONDS: '0' },
      4,
      'POSTGRES_HOST_UNKNOWN',
    ],
    [['plan', '--json'], urls, 2, 'COMMAND_LINE'],
  ] as const) {
    it(`${code}: one line for people, and an object for programs`, async () => {
      const { code: actual, stdout, stderr } = await runCli(args, env);
      assert.equal(actual, exitCode, stderr);
      assert.match(stderr, /^error: [^\n]+ — [^\n]+\n$|^error: [^\n]+ must be [^\n]+\n$/m);
      assert.ok(!(stdout + stderr).includes(password));
      const reported = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
      assert.deepEqual([reported.kind, reported.code, reported.exitCode], ['error', code, exitCode]);
    });
  }

  it('COMMAND_LINE: a URL that is the name of a program', async () => {
    const { code, stderr } = await runCli(['servers', '--foo', urls.MONGO_URL], {});
    assert.equal(code, 2, stderr);
    assert.ok(!stderr.includes(password));
  });

  it('ENV_FILE_UNREADABLE: a folder in place of the file .env', async (t) => {
    const cwd = await mkdtemp(join(tmpdir(), 'mongo2pg-env-'));
    t.after(() => rm(cwd, { recursive: true }));
    await mkdir(join(cwd, '.env'));
    const { code, stderr } = await startCli(['status'], urls, { cwd }).result;
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      /^error: .*\.env cannot be read \(\w+\) — correct it, or start in another folder\.\n$/,
    );
  });
});

async function fill({ db, client }: Sandbox): Promise<void> {
  await db.collection('users').insertOne({ _id: 1 as never, a: 'b' });
  await db.collection('others').insertOne({ _id: 1 as never, a: 'b' });
  await db.collection('seen').insertOne({ _id: 1 as never });
  await db.createCollection('nobody');
  await client.query('CREATE TABLE users (mine text)');
  await client.query("INSERT INTO users VALUES ('keep')");
  await client.query('CREATE VIEW seen AS SELECT 1 AS _id');
}

async function writeFiles(folder: string): Promise<void> {
  const few = Buffer.concat([serialize({ _id: 1, a: 'b' }), serialize({ _id: 2, a: 'c' })]);
  const corrupt = Buffer.from(few);
  // No document is so short.
  corrupt[0] = 3;
  for (const name of ['empty', 'school', 'dumps/school']) {
    await mkdir(join(folder, name), { recursive: true });
  }
  const files: Record<string, string | Uint8Array> = {
    'few.bson': few,
    'school/few.bson': few,
    'dumps/school/few.bson': few,
    'a%00b.bson': few,
    'cut.bson': few.subarray(0, -3),
    'corrupt.bson': corrupt,
    'described.bson': few,
    'described.metadata.json': '{"indexes": [',
    'none.bson': '',
    notes: 'not a dump',
    'zipped.json': gzipSync('{"_id": 1}\n'),
    'wrong.json': '{"_id": 1}\n{"_id": 2,}\n',
    'latin1.json': Buffer.from('{"_id": "\xe9"}\n', 'latin1'),
    'anonymous.json': '{"a": 1}\n',
    'plan-empty.json': '',
    'plan-text.json': 'columns: _id',
    'plan-brackets.json': '['.repeat(100_000),
    'plan-deep.json': `{"columns": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
    'plan_without_id.json': JSON.stringify({ columns: [], drop: ['_id'] }),
    ...Object.fromEntries(
      Object.entries(wrongPlans).map(([name, plan]) => [`plan-${name}.json`, JSON.stringify(plan)]),
    ),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}
