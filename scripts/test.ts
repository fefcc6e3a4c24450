/** Runs the tests: starts one MongoDB and one PostgreSQL for all of them, unless their URLs are given. */

import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { clusterImplementations } from '../src/config/options.ts';
import {
  startEmbeddedMongo,
  startEmbeddedPostgres,
  type EmbeddedServer,
} from '../packages/trial-servers/src/servers.ts';
import { makeServerFolder } from '../test/support/server-folder.ts';
import { dateStyleVariable, setDateStyle } from '../test/support/date-style.ts';
import { listTestFiles, runTestFiles } from './test-run.ts';

/**
 * `npm test -- supervisor` runs the files whose path contains the word; `--pool threads` has every run of the command
 * that a test starts use this CLUSTER_IMPLEMENTATION; with `--datestyle German`, the PostgreSQL servers that the tests start give
 * every session this DateStyle. Other flags are those of Node's own runner.
 */
const {
  values: { pool, datestyle },
  positionals: words,
} = parseArgs({ options: { pool: { type: 'string' }, datestyle: { type: 'string' } }, strict: false });
const flags = process.argv
  .slice(2)
  .filter((argument) => argument.startsWith('-') && !/^--(pool|datestyle)\b/.test(argument));
if (pool !== undefined) process.env.TEST_CLUSTER_IMPLEMENTATION = String(pool);
if (datestyle !== undefined) process.env[dateStyleVariable] = String(datestyle);
const files = listTestFiles(words);

const mistake = findMistake();
if (mistake !== null) console.error(mistake);
process.exitCode = mistake === null ? await runTests() : 1;

async function runTests(): Promise<number> {
  const dataDir = await makeServerFolder();
  const servers: EmbeddedServer[] = [];
  const startServer = async (start: typeof startEmbeddedMongo): Promise<string> => {
    const server = await start({ dataDir, role: 'run' });
    servers.push(server);
    return server.url;
  };
  try {
    const mongoUrl = process.env.TEST_MONGO_URL ?? (await startServer(startEmbeddedMongo));
    const postgresUrl = process.env.TEST_POSTGRES_URL ?? (await startServer(startEmbeddedPostgres));
    if (process.env.TEST_POSTGRES_URL === undefined) await setDateStyle(postgresUrl);
    return await runTestFiles(files, { mongoUrl, postgresUrl }, flags);
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
