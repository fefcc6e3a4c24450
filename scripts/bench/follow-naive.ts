/** The simple way to follow a collection: `watch()` with `updateLookup`, and one statement per event. */

import type { Collection } from 'mongodb';
import { connectBench, type Place } from './place.ts';
import { tableName } from './names.ts';

const upsert = `INSERT INTO ${tableName} (_id, id, username, email, age, "createdAt") VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (_id) DO UPDATE SET id = excluded.id, username = excluded.username, email = excluded.email,
    age = excluded.age, "createdAt" = excluded."createdAt"`;

/** @returns changes a second, of those that `write` makes before they are read */
export async function followNaively(
  { postgresUrl }: Place,
  collection: Collection,
  write: () => Promise<void>,
  changes: number,
): Promise<number> {
  const client = await connectBench(postgresUrl);
  const stream = collection.watch([], { fullDocument: 'updateLookup' });
  try {
    // Opens it: later writes are reported.
    await stream.tryNext();
    await write();
    const startedMs = performance.now();
    for (let read = 0; read < changes; read++) {
      const event = await stream.next();
      if (event.operationType === 'delete') {
        const values = [String(event.documentKey._id)];
        await client.query({ name: 'delete', text: `DELETE FROM ${tableName} WHERE _id = $1`, values });
      } else if ('fullDocument' in event) {
        const { _id, id, username, email, age, createdAt } = event.fullDocument ?? {};
        // Deleted since: the event of the deletion follows.
        if (_id === undefined) continue;
        await client.query({
          name: 'upsert',
          text: upsert,
          values: [String(_id), id, username, email, age, createdAt],
        });
      }
    }
    return (changes * 1000) / (performance.now() - startedMs);
  } finally {
    await stream.close();
    await client.end();
  }
}
