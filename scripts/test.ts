/** Runs the tests: starts one MongoDB and one PostgreSQL for all of them, unless their URLs are given. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clusterImplementations } from '../src/options.ts';
import { startEmbeddedMongo, startEmbeddedPostgres, type EmbeddedServer } from '../src/embedded/servers.ts';

/**
 * `npm test -- supervisor` runs the files whose path contains the word; `--pool threads` has every run of the command
 * that a test starts use this CLUSTER_IMPLEMENTATION. Other flags are those of Node's own runner.
 */
const {
  values: { pool },
  positionals: words,
} = parseArgs({ options: { pool: { type: 'string' } }, strict: false });
const flags = process.argv
  .slice(2)
  .filter((argument) => argument.startsWith('-') && !argument.startsWith('--pool'));

// Taken from the sources, as dist may hold tests that are gone.
const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .map((file) => join('dist', 'test', file.replace(/\.ts$/, '.js')))
  .sort();

const mistake = findMistake();
if (mistake !== null) console.error(mistake);
process.exitCode = mistake === null ? await runTests() : 1;

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
      ...(pool === undefined ? {} : { TEST_CLUSTER_IMPLEMENTATION: String(pool) }),
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

function findMistake(): string | null {
  if (files.length === 0) return `no test file has ${words.join(' or ')} in its path`;
  if (pool === undefined || clusterImplementations.some((name) => name === pool)) return null;
  return `--pool must be one of ${clusterImplementations.join(', ')}`;
}
