/**
 * `npm run bench -- --follow`: how fast changes are merged, beside what one would write otherwise: the driver's `watch()` with
 * `updateLookup`, and one upsert an event.
 *
 * - catching up: all changes are made while nobody follows, and then merged; no writer takes processor time from it;
 * - in step: a writer makes changes at a rate, and the lag is looked at.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MongoClient, ObjectId, type AnyBulkWriteOperation, type Collection, type Document } from 'mongodb';
import { formatCount } from '../../src/common/format.ts';
import type { RunEvent } from '../../src/observe/events.ts';
import type { FollowingEvent } from '../../src/observe/follow-events.ts';
import { seedDocuments } from './documents.ts';
import { databaseName, tableName } from './names.ts';
import { clearTable, type Place } from './place.ts';
import { runCommand, runVerify } from './tool.ts';
import { readOwnCpuMs } from './usage.ts';
import { followNaively } from './follow-naive.ts';

const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** Of every ten changes two are inserts, six updates and two deletes. */
const perTen = 10;
const bulkSize = 1_000;

export interface FollowSettings {
  readonly amount: number;
  readonly changes: number;
  readonly workers: number;
  readonly rounds: number;
  /** Changes a second, and for how long. */
  readonly rate: number;
  readonly seconds: number;
}

/** Makes changes that are spread over all documents; the same ones every time. */
class Writer {
  readonly #collection: Collection;
  readonly #amount: number;
  /** By these, as the embedded server has no other index. */
  readonly #ids: readonly ObjectId[];
  #made = 0;
  #inserted = 0;
  #deleted = 0;

  private constructor(collection: Collection, ids: readonly ObjectId[]) {
    this.#collection = collection;
    this.#amount = ids.length;
    this.#ids = ids;
  }

  static async of(collection: Collection): Promise<Writer> {
    const documents = await collection.find({}, { projection: { _id: 1 } }).toArray();
    return new Writer(
      collection,
      documents.map(({ _id }) => _id),
    );
  }

  async write(count: number): Promise<void> {
    for (let left = count; left > 0; left -= bulkSize) {
      const size = Math.min(left, bulkSize);
      await this.#collection.bulkWrite(
        Array.from({ length: size }, () => this.#next()),
        { ordered: false },
      );
    }
  }

  #next(): AnyBulkWriteOperation {
    const place = this.#made++ % perTen;
    if (place < 2) return { insertOne: { document: makeUser(this.#amount + 1 + this.#inserted++) } };
    if (place < 8) {
      const _id = this.#ids[(this.#made * 7_919) % this.#amount] ?? idOfNew(0);
      return { updateOne: { filter: { _id }, update: { $set: { age: 1_000 + this.#made } } } };
    }
    return { deleteOne: { filter: { _id: idOfNew(this.#amount + 1 + this.#deleted++) } } };
  }
}

function idOfNew(n: number): ObjectId {
  return new ObjectId(`ffffffff${n.toString(16).padStart(16, '0')}`);
}

function makeUser(n: number): Document {
  const createdAt = new Date(1.7e12 + n * 1_000);
  return {
    _id: idOfNew(n),
    id: n,
    username: `user${n}`,
    email: `user${n}@example.com`,
    age: n % 90,
    createdAt,
  };
}

/** Follows until what is told is as it is to be, then stops. */
async function follow(
  { toolMongoUrl, postgresUrl }: Place,
  workers: number,
  isDone: (event: FollowingEvent, startedMs: number) => boolean,
): Promise<{
  readonly ms: number;
  readonly cpuMs: number | null;
  readonly events: readonly FollowingEvent[];
}> {
  const child = spawn(process.execPath, [cli, '--follow', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      MONGO_URL: toolMongoUrl,
      MONGO_DB: databaseName,
      MONGO_COLLECTION: tableName,
      POSTGRES_URL: postgresUrl,
      CLUSTER_SIZE: String(workers),
    },
  });
  const exited = once(child, 'exit');
  const events: FollowingEvent[] = [];
  let startedMs = 0;
  let ms = 0;
  let cpuMs: number | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.kind !== 'following') continue;
    startedMs ||= performance.now();
    events.push(event);
    if (ms > 0 || !isDone(event, startedMs)) continue;
    ms = performance.now() - startedMs;
    cpuMs = readOwnCpuMs(child.pid ?? 0);
    child.kill('SIGINT');
  }
  await exited;
  return { ms, cpuMs, events };
}

/** @returns a table of what was measured */
export async function compareFollowing(place: Place, settings: FollowSettings): Promise<string> {
  const { amount, changes, workers, rounds, rate, seconds } = settings;
  const client = await MongoClient.connect(place.mongoUrl);
  const lines: string[] = [];
  try {
    const collection = client.db(databaseName).collection(tableName);
    const ours: number[] = [];
    const naive: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await seedDocuments(place.mongoUrl, 'users', 0, amount);
      await clearTable(place);
      const writer = await Writer.of(collection);
      await follow(place, workers, () => true);
      await writer.write(changes);
      const caughtUp = await follow(
        place,
        workers,
        ({ changesRead, waiting }) => changesRead >= changes && waiting === 0,
      );
      await runVerify(place, workers, await collection.countDocuments());
      // The first event comes when the stream is open, so that the time is that of reading and merging alone.
      ours.push((changes * 1000) / caughtUp.ms);
      console.log(
        `catching up, round ${round + 1}: mongo2pg: ${formatCount(ours.at(-1) ?? 0)} changes/s` +
          ` (primary ${((caughtUp.cpuMs ?? 0) / 1000).toFixed(1)} s of CPU), table equal`,
      );
      const few = Math.ceil(changes / 10);
      naive.push(await followNaively(place, collection, () => writer.write(few), few));
      console.log(
        `catching up, round ${round + 1}: watch() and upserts: ${formatCount(naive.at(-1) ?? 0)} changes/s`,
      );
    }
    lines.push(
      `catching up with ${formatCount(changes)} changes of ${formatCount(amount)} users, median of ${rounds}:`,
      `  mongo2pg, ${workers} workers: ${formatCount(median(ours))} changes/s`,
      `  watch() with updateLookup, an upsert each: ${formatCount(median(naive))} changes/s`,
    );
    lines.push(...(await keepStep(place, collection, { amount, workers, rate, seconds })));
  } finally {
    await client.close();
  }
  return lines.join('\n');
}

async function keepStep(
  place: Place,
  collection: Collection,
  { amount, workers, rate, seconds }: Pick<FollowSettings, 'amount' | 'workers' | 'rate' | 'seconds'>,
): Promise<string[]> {
  await seedDocuments(place.mongoUrl, 'users', 0, amount);
  await clearTable(place);
  const writer = await Writer.of(collection);
  let made = 0;
  let isOver = false;
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    const startedMs = performance.now();
    while (performance.now() - startedMs < seconds * 1000) {
      const due = Math.floor(((performance.now() - startedMs) * rate) / 1000) - made;
      if (due >= 100) {
        await writer.write(due);
        made += due;
      } else {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    isOver = true;
  };
  const { events } = await follow(place, workers, ({ waiting, changesRead }) => {
    writing ??= write();
    return isOver && waiting === 0 && changesRead >= made;
  });
  await writing;
  await runCommand(place, ['verify'], { CLUSTER_SIZE: String(workers) }, 'verified');
  const during = events.filter(({ changesRead }) => changesRead > 0 && changesRead < made);
  const lags = during.map(({ lagMs }) => lagMs / 1000);
  const journal = Math.max(0, ...during.map(({ waiting }) => waiting));
  return [
    `in step at ${formatCount(rate)} changes/s for ${seconds} s (made ${formatCount(made / seconds)}/s), ${workers} workers:`,
    `  lag: median ${median(lags).toFixed(1)} s, at most ${Math.max(0, ...lags).toFixed(1)} s; journal at most ${formatCount(journal)} rows`,
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
