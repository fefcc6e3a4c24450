/** Many small collections by one command: like the database of a web application. */

import { MongoClient, type Document } from 'mongodb';
import { calculateObjectSize } from 'bson';
import { formatCount } from '../../src/common/format.ts';
import { watch, type Run } from './contestant.ts';
import { idOf } from './documents.ts';
import { databaseName } from './names.ts';
import type { Place } from './place.ts';
import { describeTable } from './report.ts';
import { runCommand } from './tool.ts';

const collections = 200;
const documentsEach = 500;
const schema = 'many';

export interface ManySettings {
  readonly rounds: number;
  readonly workers: number;
  /** Built commands of other checkouts, which take turns with this one. */
  readonly others: readonly string[];
}

/** @returns a table of what was measured */
export async function compareMany(place: Place, { rounds, workers, others }: ManySettings): Promise<string> {
  const bsonBytes = await seedCollections(place);
  const commands = [
    ...others.map((command) => ({ name: command, command })),
    { name: 'mongo2pg', command: undefined },
  ];
  const runs = new Map<string, Run[]>(commands.map(({ name }) => [name, []]));
  // A first one warms caches and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const { name, command } of commands) {
      await clear(place);
      const run = await watch(place, () => copyAll(place, workers, command));
      await requireAll(place);
      console.log(
        `many, ${round === 0 ? 'warm-up' : `round ${round}`}: ${name}: ${(run.wallMs / 1000).toFixed(2)} s`,
      );
      if (round > 0) runs.get(name)?.push(run);
    }
  }
  const results = Array.from(runs, ([name, ofIt]) => ({ name: `${name}, ${workers} workers`, runs: ofIt }));
  const amount = collections * documentsEach;
  return [
    `**${formatCount(collections)} collections of ${formatCount(documentsEach)} documents**, ${rounds} rounds in turns, after a warm-up`,
    '',
    describeTable({ results, amount, bsonBytes }),
  ].join('\n');
}

async function seedCollections({ mongoUrl }: Place): Promise<number> {
  const client = await MongoClient.connect(mongoUrl);
  try {
    const db = client.db(databaseName);
    await db.dropDatabase();
    let bytes = 0;
    for (let number = 0; number < collections; number++) {
      const documents = Array.from({ length: documentsEach }, (_, n) => makeUser(n));
      bytes += documents.reduce((sum, document) => sum + calculateObjectSize(document), 0);
      await db.collection(`c${String(number).padStart(3, '0')}`).insertMany(documents);
    }
    return bytes;
  } finally {
    await client.close();
  }
}

function makeUser(n: number): Document {
  return {
    _id: idOf(n),
    name: `user ${n}`,
    email: `user${n}@example.com`,
    age: n % 90,
    createdAt: new Date(1.7e12 + n * 1_000),
  };
}

async function copyAll(
  place: Place,
  workers: number,
  command: string | undefined,
): Promise<Pick<Run, 'wallMs' | 'primaryCpuMs' | 'peakBytes'>> {
  const env = { MONGO_COLLECTION: '*', POSTGRES_SCHEMA: schema, CLUSTER_SIZE: String(workers) };
  const { wallMs, primaryCpuMs, event } = await runCommand(place, [], env, 'summary', command);
  const { primaryPeakRssBytes: primary, workerPeakMemoryBytes } = event;
  return { wallMs, primaryCpuMs, peakBytes: { primary, worker: Math.max(...workerPeakMemoryBytes) } };
}

async function clear({ client }: Place): Promise<void> {
  await client.query(`DROP SCHEMA IF EXISTS mongo2pg CASCADE`);
  // One statement for all would take more locks than there are.
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1`,
    [schema],
  );
  for (const { name } of rows) await client.query(`DROP TABLE ${name}`);
  await client.query('CHECKPOINT');
}

async function requireAll({ client }: Place): Promise<void> {
  let rowCount = 0;
  for (let number = 0; number < collections; number++) {
    const { rows } = await client.query<{ count: string }>(
      `SELECT count(*) FROM ${schema}.c${String(number).padStart(3, '0')}`,
    );
    rowCount += Number(rows[0]?.count);
  }
  if (rowCount !== collections * documentsEach) throw new Error(`the tables have ${rowCount} rows`);
}
