/** Runs the tests: starts one MongoDB and one PostgreSQL for all of them, unless their URLs are given. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedMongo, startEmbeddedPostgres, type EmbeddedServer } from '../src/embedded/servers.ts';
import { listTestFiles, runTestFiles } from './test-run.ts';

/** `npm test -- supervisor` runs the files whose path contains the word. */
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const files = listTestFiles(words);

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
    const mongoUrl = process.env.TEST_MONGO_URL ?? (await startServer(startEmbeddedMongo));
    const postgresUrl = process.env.TEST_POSTGRES_URL ?? (await startServer(startEmbeddedPostgres));
    return await runTestFiles(files, { mongoUrl, postgresUrl }, flags);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function complainOfNoFiles(): number {
  console.error(`no test file has ${words.join(' or ')} in its path`);
  return 1;
}
