/** Fills a MongoDB collection with users to try the tool out on: the same ones every time. */

import { MongoBulkWriteError, type Collection } from 'mongodb';
import { connectMongo } from '../../source/mongo/collection.ts';
import { SourceError } from '../../common/errors.ts';
import { explainMongoError } from '../../source/mongo/mongo-errors.ts';
import { trialServers } from '../trial-servers.ts';
import type { IfExists } from '../../config/config.ts';

export interface User {
  readonly id: number;
  readonly username: string;
  readonly email: string;
  readonly age: number;
  readonly createdAt: Date;
}

export interface SeedOptions {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
  readonly amount: number;
  /** What to do with documents that are there already; `drop` and `truncate` remove them. */
  readonly ifExists: IfExists;
}

/** Documents per insert: a message of about 1 MB, far under MongoDB's limit of 48 MB. */
const batchSize = 5_000;

/** Inserts under way at once: the server works on some while the next are made. */
const parallelInserts = 4;

/** @returns how many users were inserted */
export async function seedUsers(options: SeedOptions): Promise<number> {
  const { makeUsers } = await trialServers.users();
  const client = await connectMongo(options.url);
  try {
    const collection = client.db(options.db).collection<User>(options.collection);
    const firstId = await prepareCollection(collection, options);
    let next = 0;
    let inserted = 0;
    const insertNext = async (): Promise<void> => {
      while (next < options.amount) {
        const start = next;
        next = Math.min(start + batchSize, options.amount);
        const users = makeUsers(firstId + start, next - start);
        await collection.insertMany(users, { ordered: false });
        inserted += users.length;
      }
    };
    const lanes = await Promise.allSettled(Array.from({ length: parallelInserts }, insertNext));
    const failed = lanes.find((lane) => lane.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return inserted;
  } catch (error) {
    if (error instanceof MongoBulkWriteError) {
      throw new SourceError(`seeding failed: ${error.message}`, { code: 'SEED_FAILED' });
    }
    throw explainMongoError(error, options.url);
  } finally {
    await client.close();
  }
}

/** @returns the `id` of the first user to make */
async function prepareCollection(collection: Collection<User>, { ifExists }: SeedOptions): Promise<number> {
  const count = await collection.countDocuments({}, { limit: 1 });
  if (count === 0) return 1;
  switch (ifExists) {
    case 'fail':
      throw new SourceError(`the collection ${collection.namespace} already has documents`, {
        code: 'COLLECTION_HAS_DOCUMENTS',
        fix: 'choose what to do with them: --if-exists drop (they are removed) or append; or choose another MONGO_COLLECTION.',
      });
    case 'drop':
    case 'truncate':
      await collection.drop();
      return 1;
    case 'append':
      return (await collection.countDocuments()) + 1;
  }
}
