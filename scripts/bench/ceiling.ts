/** The ceiling: the same rows as ready-made binary COPY, from memory, through as many streams as there are workers. */

import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { inferColumns } from '../../src/plan/infer.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { copyStatement, createTableStatement } from '../../src/postgres/ddl.ts';
import { addPrimaryKey, analyzeTable } from '../../src/postgres/target.ts';
import { Database } from '../../src/source/database.ts';
import { createRowEncoder } from '../../src/transcode/row.ts';
import { readPages } from '../../test/support/read-pages.ts';
import { connectBench } from './table.ts';
import type { BenchSettings } from './main.ts';

export interface CeilingInput {
  readonly plan: Plan;
  /** For each stream its rows, one buffer a page; together with header and trailer a whole COPY stream. */
  readonly streams: readonly (readonly Buffer[])[];
  readonly bsonBytes: number;
}

const all = { afterId: null, untilId: null };
const headerBytes = 19;
const trailerBytes = 2;

/** Reads and transcodes the whole collection, outside of what is timed. */
export async function prepareCeiling({ mongoUrl, workers }: BenchSettings): Promise<CeilingInput> {
  const database = await Database.connect({
    url: mongoUrl,
    db: 'bench',
    retryLimitMs: 0,
    answerTimeoutMs: 0,
  });
  try {
    const source = await database.open('users');
    const { columns, extraColumn } = inferColumns((await source.sample(10_000)).documents);
    const plan = { collection: source.name, schema: 'public', table: 'users', columns, extraColumn };
    const encoder = createRowEncoder(plan);
    const pages: Buffer[] = [];
    let header = Buffer.alloc(0);
    let bsonBytes = 0;
    for await (const page of readPages(source, all, 10_000)) {
      const { copy, deadLetters } = encoder.encodeBatch(page.documents);
      if (deadLetters.length > 0) throw new Error('the users of the benchmark have no dead letters');
      header = Buffer.from(copy.subarray(0, headerBytes));
      pages.push(Buffer.from(copy.subarray(headerBytes, copy.length - trailerBytes)));
      bsonBytes += page.documents.byteLength;
    }
    const trailer = Buffer.alloc(trailerBytes, 0xff);
    const streams = Array.from({ length: workers }, (_, stream) => {
      return [header, ...pages.filter((__, page) => page % workers === stream), trailer];
    });
    return { plan, streams, bsonBytes };
  } finally {
    await database.close();
  }
}

/** @returns milliseconds from the first COPY to the end of the index; connecting and creating the table do not count */
export async function runCeiling(
  client: pg.Client,
  { postgresUrl }: BenchSettings,
  { plan, streams }: CeilingInput,
): Promise<number> {
  await client.query('DROP TABLE IF EXISTS users');
  await client.query(createTableStatement(plan));
  await client.query('CHECKPOINT');
  const connections = await Promise.all(streams.map(() => connectBench(postgresUrl)));
  try {
    for (const connection of connections) await connection.query('SET synchronous_commit = off');
    const startedMs = performance.now();
    await Promise.all(
      connections.map((connection, index) => copyAll(connection, copyStatement(plan), streams[index] ?? [])),
    );
    await addPrimaryKey(client, plan);
    await analyzeTable(client, plan);
    return performance.now() - startedMs;
  } finally {
    await Promise.all(connections.map((connection) => connection.end()));
  }
}

async function copyAll(client: pg.Client, statement: string, buffers: readonly Buffer[]): Promise<void> {
  const stream = client.query(copyFrom(statement));
  const finished = once(stream, 'finish');
  for (const buffer of buffers) {
    if (!stream.write(buffer)) await once(stream, 'drain');
  }
  stream.end();
  await finished;
}
