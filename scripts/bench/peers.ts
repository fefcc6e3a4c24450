/** Other tools that copy users: each is a contestant if it is available, and otherwise skipped with a notice. */

import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTableStatement } from '../../src/postgres/table/ddl.ts';
import { analyzeTable } from '../../src/postgres/table/finish-table.ts';
import { addPrimaryKey } from '../../src/postgres/table/primary-key.ts';
import type { Contestant, Effort } from './contestant.ts';
import { databaseName, tableName } from './names.ts';
import type { Venv } from './venv.ts';

const execute = promisify(execFile);
const script = fileURLToPath(new URL('../../../scripts/bench/copy-users.py', import.meta.url));
const ingestrVersion = '0.15.9';
const pythonPackages = ['pymongo==4.20.1', 'psycopg[binary]==3.3.9'];
const columns = ['_id', 'id', 'username', 'email', 'age', 'createdAt'];

export interface Peers {
  readonly contestants: readonly Contestant[];
  /** Why a peer is skipped, a line each. */
  readonly missing: readonly string[];
}

/** @param folder for files that a peer writes */
export async function findPeers(folder: string, venv: Venv | null): Promise<Peers> {
  const ingestr = (await venv?.find('ingestr', [`ingestr==${ingestrVersion}`])) ?? null;
  const python = (await venv?.find('python', pythonPackages)) ?? null;
  const hasScript = python !== null && canRun(python, ['-c', 'import psycopg, pymongo']);
  const hasExport = canRun('mongoexport', ['--version']) && canRun('psql', ['--version']);
  const peers: readonly [Contestant | null, string][] = [
    [
      ingestr === null ? null : createIngestr(ingestr, folder),
      'ingestr: it is not in BENCH_VENV, and pip cannot install it',
    ],
    [
      hasScript ? createPython(python) : null,
      'pymongo + psycopg: they are not in BENCH_VENV, and pip cannot install them',
    ],
    [hasExport ? createExport() : null, 'mongoexport: it is not on the PATH, or psql is not'],
  ];
  return {
    contestants: peers.map(([peer]) => peer).filter((peer) => peer !== null),
    missing: peers.filter(([peer]) => peer === null).map(([, why]) => `left out: ${why}`),
  };
}

function canRun(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0;
}

/** It creates the table and its key, with its own names and types. */
function createIngestr(program: string, folder: string): Contestant {
  return {
    name: `ingestr ${ingestrVersion}`,
    table: 'ingestr',
    run: ({ mongoUrl, postgresUrl }) => {
      const from = ['--source-uri', mongoUrl, '--source-table', `${databaseName}.${tableName}`];
      const to = ['--dest-uri', postgresUrl, '--dest-table', `public.${tableName}`];
      const quietly = ['--yes', '--progress', 'log', '--pipelines-dir', join(folder, 'pipelines')];
      return timeOf(program, ['ingest', ...from, ...to, ...quietly], { DISABLE_TELEMETRY: 'true' });
    },
  };
}

function createPython(python: string): Contestant {
  return {
    name: 'Python: pymongo and COPY by psycopg',
    run: async ({ client, mongoUrl, postgresUrl }, { plan }) => {
      await client.query(createTableStatement(plan));
      const urls = { MONGO_URL: mongoUrl, POSTGRES_URL: postgresUrl };
      return await timeOf(python, [script], { ...urls, DATABASE: databaseName, TABLE: tableName });
    },
  };
}

function createExport(): Contestant {
  const copy = `\\copy ${tableName} (${columns.map((column) => `"${column}"`).join(', ')}) from stdin csv header`;
  // It writes ids as ObjectId(…), and they come first.
  const pipe = `mongoexport --quiet --uri "$MONGO_URL" --db ${databaseName} --collection ${tableName} --type csv --fields ${columns.join(',')} |
    sed -E 's/^ObjectId\\(([^)]*)\\)/\\1/' | psql -q -v ON_ERROR_STOP=1 "$POSTGRES_URL" -c "$COPY"`;
  return {
    name: 'mongoexport to CSV, and psql \\copy',
    run: async ({ client, mongoUrl, postgresUrl }, { plan }) => {
      await client.query(createTableStatement(plan));
      const startedMs = performance.now();
      await timeOf('sh', ['-c', pipe], { MONGO_URL: mongoUrl, POSTGRES_URL: postgresUrl, COPY: copy });
      await addPrimaryKey(client, plan);
      await analyzeTable(client, plan);
      return { wallMs: performance.now() - startedMs };
    },
  };
}

/** From the start of the program to its end; rejects with its output if it failed. */
async function timeOf(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Effort> {
  const startedMs = performance.now();
  await execute(program, args, { env: { ...process.env, ...env } });
  return { wallMs: performance.now() - startedMs };
}
