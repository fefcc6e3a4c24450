/**
 * An idle time of a soak: nothing is written to what is followed, and others write enough to push all history out of a small
 * oplog. The position must advance meanwhile.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { MongoClient, Timestamp } from 'mongodb';
import pg from 'pg';
import type { Scene } from './faults.ts';

/** Of the oplog: the part that the reader has not seen is never larger. */
const share = 0.4;
const rounds = 4;
/** MongoDB takes no larger documents. */
const maxTextBytes = 12_000_000;
/** More than a server and a command take to restart. */
const limitMs = 90_000;
const pauseMs = 100;

/** @param selection of the stream @param check throws the error of following @throws if the position does not advance */
export async function passIdleTime(
  client: MongoClient,
  { mongo, postgres }: Pick<Scene, 'mongo' | 'postgres'>,
  selection: string,
  check: () => void,
): Promise<void> {
  const text = 'x'.repeat(mongo.oplogBytes === null ? 1 : Math.min(maxTextBytes, mongo.oplogBytes * share));
  for (let round = 0; round < rounds; round++) {
    const wanted = await retry(() => writeElsewhere(client, text), check);
    await retry(async () => {
      const position = await readPosition(postgres.url, selection);
      if (position < wanted) throw new Error(`the position stays at ${position}, before ${wanted}`);
    }, check);
  }
}

/** @returns the time of the set afterwards */
async function writeElsewhere(client: MongoClient, text: string): Promise<bigint> {
  const db = client.db('elsewhere');
  await db
    .collection<{ _id: number }>('others')
    .replaceOne({ _id: 1 }, { text, at: Date.now() }, { upsert: true });
  const { operationTime } = (await db.command({ ping: 1 })) as { operationTime: Timestamp };
  return operationTime.toBigInt();
}

async function readPosition(url: string, selection: string): Promise<bigint> {
  const client = new pg.Client({ connectionString: url });
  // A server that a fault ends breaks it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ time: string }>(
      `SELECT least(token_time, server_time)::text AS time FROM mongo2pg.streams
        WHERE ended_at IS NULL AND selection = $1`,
      [selection],
    );
    return BigInt(rows[0]?.time ?? -1);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Retries, as servers may be unavailable, and the command with them. */
async function retry<T>(work: () => Promise<T>, check: () => void): Promise<T> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    check();
    try {
      return await work();
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await delay(pauseMs);
    }
  }
}
