/** Runs the tests: starts one MongoDB and one PostgreSQL for all of them, unless their URLs are given. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedMongo, startEmbeddedPostgres, type EmbeddedServer } from '../src/embedded/servers.ts';

/** `npm test -- supervisor` runs the files whose path contains the word. */
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));

// Taken from the sources, as dist may hold tests that are gone.
const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .map((file) => join('dist', 'test', file.replace(/\.ts$/, '.js')))
  .sort();

process.exitCode = files.length === 0 ? complainOfNoFiles() : await runTests();

async function runTests(): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mongo2pg-test-'));
  const servers: EmbeddedServer[] = [];
  const startServer = async (start: typeof startEmbeddedMongo): Promise<string> => {
    const server = await start({ dataDir, role: 'run' });
    servers.push(server);
    return server.url;
  };
  try {
    const env = {
      ...process.env,
      TEST_MONGO_URL: process.env.TEST_MONGO_URL ?? (await startServer(startEmbeddedMongo)),
      TEST_POSTGRES_URL: process.env.TEST_POSTGRES_URL ?? (await startServer(startEmbeddedPostgres)),
    };
    // The spec reporter in any case: without a terminal the default differs between versions of Node.
    const runner = spawn(process.execPath, ['--test', '--test-reporter=spec', ...flags, ...files], {
      stdio: 'inherit',
      env,
    });
    const [code] = (await once(runner, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function complainOfNoFiles(): number {
  console.error(`no test file has ${words.join(' or ')} in its path`);
  return 1;
}
