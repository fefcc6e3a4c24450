/**
 * The simple ways to copy users: a separate program, started as `node naive.js <way>`.
 *
 * - `insert`: pages by skip and limit, one INSERT a row
 * - `multi-insert`: the same pages, 1,000 rows an INSERT
 * - `copy`: one `find()`, one text COPY
 */

import { once } from 'node:events';
import { MongoClient, type Collection, type WithId } from 'mongodb';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { readProcessMemory } from '../../src/common/memory.ts';
import type { User } from '../../src/cli/users/user.ts';
import { databaseName, tableName } from './names.ts';

const pageSize = 10_000;
const rowsPerInsert = 1_000;
const columns = ['_id', 'id', 'username', 'email', 'age', '"createdAt"'];

export const ways = ['insert', 'multi-insert', 'copy'] as const;
type Way = (typeof ways)[number];

type Row = readonly [_id: string, id: number, username: string, email: string, age: number, createdAt: Date];

function toRow({ _id, id, username, email, age, createdAt }: WithId<User>): Row {
  return [_id.toHexString(), id, username, email, age, createdAt];
}

async function* readPages(collection: Collection<User>): AsyncGenerator<Row[]> {
  for (let skip = 0; ; skip += pageSize) {
    const page = await collection.find().sort({ _id: 1 }).skip(skip).limit(pageSize).toArray();
    if (page.length === 0) return;
    yield page.map(toRow);
  }
}

function insertStatement(rowCount: number): string {
  const row = (_: unknown, index: number): string =>
    `(${columns.map((__, column) => `$${index * columns.length + column + 1}`).join(', ')})`;
  const values = Array.from({ length: rowCount }, row).join(', ');
  return `INSERT INTO ${tableName} (${columns.join(', ')}) VALUES ${values}`;
}

async function insertRows(collection: Collection<User>, client: pg.Client, perInsert: number): Promise<void> {
  for await (const page of readPages(collection)) {
    for (let first = 0; first < page.length; first += perInsert) {
      const rows = page.slice(first, first + perInsert);
      await client.query(insertStatement(rows.length), rows.flat());
    }
  }
}

async function copyRows(collection: Collection<User>, client: pg.Client): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${tableName} (${columns.join(', ')}) FROM STDIN`));
  const finished = once(stream, 'finish');
  for await (const user of collection.find()) {
    const fields = toRow(user).map((value) => (value instanceof Date ? value.toISOString() : String(value)));
    const line = fields
      .map((field) => field.replace(/[\\\t\n\r]/g, (character) => `\\${character}`))
      .join('\t');
    if (!stream.write(`${line}\n`)) await once(stream, 'drain');
  }
  stream.end();
  await finished;
}

async function main(way: Way): Promise<void> {
  const mongo = await MongoClient.connect(process.env.MONGO_URL ?? '');
  const client = new pg.Client({ connectionString: process.env.POSTGRES_URL ?? '' });
  await client.connect();
  const collection = mongo.db(databaseName).collection<User>(tableName);
  if (way === 'copy') await copyRows(collection, client);
  else await insertRows(collection, client, way === 'insert' ? 1 : rowsPerInsert);
  await client.query(`ALTER TABLE ${tableName} ADD PRIMARY KEY (_id)`);
  await client.query(`ANALYZE ${tableName}`);
  await client.end();
  await mongo.close();
  process.stdout.write(String(readProcessMemory().peakMemoryBytes));
}

const way = ways.find((name) => name === process.argv[2]);
if (way !== undefined) await main(way);
