/** Where the benchmarks run: servers of their own, one collection, and one table that each contestant fills again. */

import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedMongo, startEmbeddedPostgres } from '../../packages/trial-servers/src/servers.ts';
import { makeServerFolder } from '../../test/support/server-folder.ts';
import { startProxy } from '../../test/support/tcp-proxy.ts';
import { childTableName, tableName } from './names.ts';
import { readParentPid } from './usage.ts';

export interface Place {
  readonly mongoUrl: string;
  /** The same servers for this tool, with the requested latency. */
  readonly toolMongoUrl: string;
  readonly postgresUrl: string;
  readonly toolPostgresUrl: string;
  readonly client: pg.Client;
  /** For contestants: a copy, which shares no memory with other processes of Node on this machine. */
  readonly node: string;
  /** For files; removed at the end. */
  readonly folder: string;
  readonly mongoPid: number;
  readonly postmasterPid: number;
}

/** The latency that is added to a round trip from this tool, in ms. */
export interface Latencies {
  readonly sourceMs: number;
  readonly targetMs: number;
}

export async function withPlace(
  { sourceMs, targetMs }: Latencies,
  work: (place: Place) => Promise<void>,
): Promise<void> {
  const dataDir = await makeServerFolder();
  try {
    const node = join(dataDir, 'node');
    await copyFile(process.execPath, node);
    const mongo = await startEmbeddedMongo({ dataDir, role: 'run' });
    const postgres = await startEmbeddedPostgres({ dataDir, role: 'run' });
    try {
      const client = await connectBench(postgres.url);
      try {
        const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        const postmasterPid = readParentPid(rows[0]?.pid ?? 0);
        const { url: mongoUrl, pid: mongoPid } = mongo;
        const source = await startProxy({ port: portOf(mongoUrl), latencyMs: sourceMs });
        const target = await startProxy({ port: portOf(postgres.url), latencyMs: targetMs });
        try {
          const toolMongoUrl = sourceMs === 0 ? mongoUrl : source.url(mongoUrl);
          const toolPostgresUrl = targetMs === 0 ? postgres.url : target.url(postgres.url);
          const urls = { mongoUrl, toolMongoUrl, postgresUrl: postgres.url, toolPostgresUrl };
          await work({ ...urls, client, node, folder: dataDir, mongoPid, postmasterPid });
        } finally {
          await Promise.all([source.close(), target.close()]);
        }
      } finally {
        await client.end();
      }
    } finally {
      await Promise.all([mongo.stop(), postgres.stop()]);
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

export async function connectBench(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'mongo2pg bench' });
  await client.connect();
  return client;
}

/** For the next contestant: removes rows and dirty pages of the one before it. */
export async function clearTable({ client }: Place): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${childTableName}, ${tableName}`);
  await client.query('DROP SCHEMA IF EXISTS mongo2pg CASCADE');
  await client.query('CHECKPOINT');
}

/** The same for tables of equal rows, in any order of rows and columns (which follow a random sample). */
export async function readChecksum({ client }: Place): Promise<string> {
  const { rows: tables } = await client.query<{ name: string }>(
    'SELECT relname AS name FROM pg_stat_user_tables WHERE relname = ANY ($1) ORDER BY 1 DESC',
    [[tableName, childTableName]],
  );
  const checksums: string[] = [];
  for (const { name } of tables) {
    const { rows } = await client.query<{ checksum: string }>(
      `SELECT count(*) || ' rows, sum of hashes ' || sum(hashtextextended(to_jsonb(t)::text, 0)) AS checksum FROM ${name} t`,
    );
    checksums.push(rows[0]?.checksum ?? '');
  }
  return checksums.join('; ');
}
