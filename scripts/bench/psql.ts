/** The same rows as text in files, loaded by as many `psql \copy` as there are workers. */

import { execFile, spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { to as copyTo } from 'pg-copy-streams';
import { createTableStatement } from '../../src/postgres/table/ddl.ts';
import { analyzeTable } from '../../src/postgres/table/finish-table.ts';
import { addPrimaryKey } from '../../src/postgres/table/primary-key.ts';
import type { Contestant } from './contestant.ts';
import { tableName } from './names.ts';
import type { Place } from './place.ts';

const execute = promisify(execFile);

/** @returns null where there is no psql */
export function createPsql(streams: number): Contestant | null {
  if (spawnSync('psql', ['--version']).status !== 0) return null;
  let files: string[] | undefined;
  return {
    name: `psql \\copy of ready-made text, ${streams} streams`,
    prepare: async (place) => {
      files = await writeFiles(place, streams);
    },
    run: async ({ client, postgresUrl }, { plan }) => {
      await client.query(createTableStatement(plan));
      const env = { ...process.env, PGOPTIONS: '-c synchronous_commit=off' };
      const copy = (file: string): Promise<unknown> => {
        const command = `\\copy ${tableName} from '${file}'`;
        return execute('psql', ['-q', '-v', 'ON_ERROR_STOP=1', postgresUrl, '-c', command], { env });
      };
      const startedMs = performance.now();
      await Promise.all((files ?? []).map(copy));
      await addPrimaryKey(client, plan);
      await analyzeTable(client, plan);
      return { wallMs: performance.now() - startedMs };
    },
  };
}

async function writeFiles({ client, folder }: Place, streams: number): Promise<string[]> {
  const files = Array.from({ length: streams }, (_, stream) => join(folder, `rows-${stream}.txt`));
  for (const [stream, file] of files.entries()) {
    const rows = `SELECT * FROM ${tableName} WHERE abs(hashtext(_id::text)::bigint) % ${streams} = ${stream}`;
    await pipeline(client.query(copyTo(`COPY (${rows}) TO STDOUT`)), createWriteStream(file));
  }
  return files;
}
