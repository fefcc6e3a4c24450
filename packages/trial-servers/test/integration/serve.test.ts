/** The `servers` command runs a command against both embedded servers, or reports why it cannot. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { UsageError } from '../../../../src/common/errors.ts';
import { holdServers } from '../../src/serve.ts';
import {
  makeDirectory,
  readPostmasterPid,
  isAlive,
  spawnHold,
  waitForProcessEnd,
} from '../../../../test/support/embedded.ts';
import { groupLimitMs } from '../../../../test/support/limits.ts';

/** No test reads the messages for the user. */
const unheard = { writeLine: (): void => undefined };

describe('the command servers', { timeout: groupLimitMs }, () => {
  it('passes the addresses to a command, and returns its exit code', async (t) => {
    const dataDir = await makeDirectory(t);
    const out = join(dataDir, 'env.json');
    const script = `
      const names = ['MONGO_URL', 'POSTGRES_URL', 'PGHOST', 'PGPORT', 'PGUSER', 'PGDATABASE', 'PGPASSFILE'];
      const env = Object.fromEntries(names.map((name) => [name, process.env[name]]));
      fs.writeFileSync(process.argv[1], JSON.stringify(env));
      process.exit(9);`;
    assert.equal(await holdServers({ dataDir, command: [process.execPath, '-e', script, out] }, unheard), 9);

    const env = JSON.parse(await readFile(out, 'utf8')) as Record<string, string>;
    const url = new URL(env.POSTGRES_URL ?? '');
    assert.match(env.MONGO_URL ?? '', /^mongodb:\/\/127\.0\.0\.1:\d+\//);
    assert.equal(env.PGPORT, url.port);
    assert.equal(env.PGHOST, '127.0.0.1');
    assert.equal(env.PGUSER, 'postgres');
    assert.equal(env.PGDATABASE, 'mongo2pg');
    assert.ok((await readFile(env.PGPASSFILE ?? '', 'utf8')).includes(url.password));
    assert.equal(await readPostmasterPid(dataDir), 0);
  });

  it('reports a missing command, and stops the servers', async (t) => {
    const dataDir = await makeDirectory(t);
    await assert.rejects(holdServers({ dataDir, command: ['no-such-program-here'] }, unheard), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /no-such-program-here/);
      return true;
    });
    assert.equal(await readPostmasterPid(dataDir), 0);
  });

  it('waits for a signal, and prints no password', async (t) => {
    const dataDir = await makeDirectory(t);
    const { child, lines, exited } = await spawnHold(t, dataDir);
    const pgpass = await readFile(join(dataDir, 'postgres/pgpass'), 'utf8');
    const password = pgpass.trim().split(':').at(-1) ?? '';
    const port = pgpass.split(':')[1] ?? '';
    assert.match(
      lines.join('\n'),
      new RegExp(`PGPASSFILE=\\S+ psql -h 127.0.0.1 -p ${port} -U postgres mongo2pg`),
    );
    assert.equal(lines.join('\n').includes(password), false);

    const postmaster = await readPostmasterPid(dataDir);
    assert.equal(await isAlive(postmaster), true);
    // npm forwards the signal that the terminal has sent already.
    child.kill('SIGINT');
    child.kill('SIGINT');
    assert.equal(await exited, 0);
    await waitForProcessEnd(postmaster);
  });
});
