/**
 * A ledger of version 5 with three runs: `larger` finished, `things` unfinished after a second start of the same
 * job (with a batch that a crash of PostgreSQL lost), `loaded` without its key; `waiting` is not begun. The file was
 * written by that version itself, over the documents that are made here.
 */

import { readFile } from 'node:fs/promises';
import type { Db } from 'mongodb';
import type { Sandbox } from './servers.ts';

const sizes = { larger: 420, things: 360, waiting: 30, loaded: 60 };
export type FixtureCollection = keyof typeof sizes;

/** The `_id`s of the documents that have a NUL, and so are dead letters. */
export function listDeadLetters(collection: FixtureCollection): number[] {
  return Array.from({ length: sizes[collection] }, (_, index) => index).filter(hasNul);
}

function hasNul(index: number): boolean {
  return index % 50 === 7;
}

/** Some have a number for a text. */
export async function fillCollections(db: Db): Promise<void> {
  for (const [name, count] of Object.entries(sizes)) {
    const documents = Array.from({ length: count }, (_, index) => ({
      _id: index as never,
      text: hasNul(index) ? `nul ${index} \0` : index % 50 === 9 ? index : `text ${index}`,
      even: index % 2 === 0,
    }));
    await db.collection(name).insertMany(documents);
  }
}

/** Replaces the tables and the ledger. */
export async function makeLedgerVersion5({ db, client }: Pick<Sandbox, 'db' | 'client'>): Promise<void> {
  const uuids = new Map<string, string>();
  for (const info of await db.listCollections().toArray()) {
    if ('info' in info) uuids.set(info.name, String(info.info.uuid));
  }
  const text = await readFile('test/data/ledger-5.sql', 'utf8');
  const sql = text
    .replaceAll('{{db}}', db.databaseName)
    .replaceAll(/\{\{uuid (\w+)\}\}/g, (_, name: string) => uuids.get(name) ?? '');
  const tables = Object.keys(sizes).join(', ');
  await client.query(`DROP SCHEMA IF EXISTS mongo2pg CASCADE; DROP TABLE IF EXISTS ${tables}; ${sql}`);
}
