/** Runs the tests: starts one MongoDB and one PostgreSQL for all of them, unless their URLs are given. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  startEmbeddedMongo,
  startEmbeddedPostgres,
  type EmbeddedServer,
} from '../packages/trial-servers/src/servers.ts';
import { makeServerFolder } from '../test/support/server-folder.ts';
import { createClient, dateStyleVariable, setDateStyle } from '../test/support/date-style.ts';
import {
  copyPostgresTemplate,
  makePostgresTemplate,
  postgresTemplateVariable,
} from '../test/support/postgres-template.ts';
import { readTestArguments, type TestArguments } from './test-arguments.ts';
import { listTestFiles, runTestFiles } from './test-run.ts';

/**
 * `npm test -- supervisor` runs the files whose path contains the word; `--pool threads` has every run of the command
 * that a test starts use this CLUSTER_IMPLEMENTATION; with `--datestyle German`, the PostgreSQL servers that the tests start give
 * every session this DateStyle; `--cases after.jsonl` records all tests that ran, for `npm run test:cases`. Other flags are
 * those of Node's own runner.
 */
const given = readTestArguments(process.argv.slice(2));
const mistake = typeof given === 'string' ? given : findUnknown(given);
if (mistake !== null) console.error(mistake);
process.exitCode = typeof given === 'string' || mistake !== null ? 1 : await runTests(given);

async function runTests({ words, pool, datestyle, cases, flags }: TestArguments): Promise<number> {
  if (pool !== undefined) process.env.TEST_CLUSTER_IMPLEMENTATION = pool;
  if (datestyle !== undefined) process.env[dateStyleVariable] = datestyle;
  const dataDir = await makeServerFolder();
  const servers: EmbeddedServer[] = [];
  const startServer = async (start: typeof startEmbeddedMongo): Promise<string> => {
    const server = await start({ dataDir, role: 'run' });
    servers.push(server);
    return server.url;
  };
  try {
    const mongoUrl = process.env.TEST_MONGO_URL ?? (await startServer(startEmbeddedMongo));
    let postgresUrl = process.env.TEST_POSTGRES_URL;
    if (postgresUrl === undefined) {
      process.env[postgresTemplateVariable] = await makePostgresTemplate(join(dataDir, 'template'));
      await copyPostgresTemplate(dataDir);
      postgresUrl = await startServer(startEmbeddedPostgres);
      await prepare(postgresUrl);
    }
    return await runTestFiles(listTestFiles(words), { mongoUrl, postgresUrl }, [
      ...(cases === undefined ? [] : reportCases(cases)),
      ...flags,
    ]);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** This server need not survive a crash, and creating and dropping databases waits mostly for the disk, and for checkpoints. */
async function prepare(postgresUrl: string): Promise<void> {
  await setDateStyle(postgresUrl);
  const client = createClient(postgresUrl);
  await client.connect();
  try {
    await client.query('ALTER SYSTEM SET fsync = off');
    await client.query('ALTER SYSTEM SET full_page_writes = off');
    await client.query('SELECT pg_reload_conf()');
  } finally {
    await client.end();
  }
}

/** A word that matches no file is probably mistyped. */
function findUnknown({ words }: TestArguments): string | null {
  const unknown = words.find((word) => listTestFiles([word]).length === 0);
  return unknown === undefined ? null : `no test file has ${unknown} in its path`;
}

function reportCases(path: string): string[] {
  const reporter = new URL('./case-reporter.js', import.meta.url).href;
  return [
    '--test-reporter-destination=stdout',
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${path}`,
  ];
}
