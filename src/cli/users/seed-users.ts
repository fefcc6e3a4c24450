/** Fills a MongoDB collection with users, or with a sample set; the same ones every time. */

import { MongoBulkWriteError, type Collection, type Document } from 'mongodb';
import { connectMongo } from '../../source/mongo/client.ts';
import { SourceError } from '../../common/errors.ts';
import { explainMongoError } from '../../source/mongo/mongo-errors.ts';
import { trialServers } from '../trial-servers.ts';
import type { IfExists } from '../../config/config.ts';
import type { SampleSet } from '../../config/sample-sets.ts';

export interface SeedOptions {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
  readonly amount: number;
  /** What to do with existing documents; `drop` and `truncate` remove them. */
  readonly ifExists: IfExists;
}

/** Documents per insert: about 1 MB of users, 15 MB of the largest samples. MongoDB's limit is 48 MB. */
const batchSize = 2_000;

/** Concurrent inserts: the server works on some while the next are made. */
const parallelInserts = 4;

/** @returns how many users were inserted */
export async function seedUsers(options: SeedOptions): Promise<number> {
  const { makeUsers } = await trialServers.users();
  return await seedDocuments(options, makeUsers);
}

/** @returns how many documents of the set were inserted */
export async function seedSamples(set: SampleSet, options: SeedOptions): Promise<number> {
  const { makeSamples } = await trialServers.samples();
  return await seedDocuments(options, (first, count) => makeSamples(set, first, count));
}

async function seedDocuments(
  options: SeedOptions,
  make: (firstId: number, count: number) => Document[],
): Promise<number> {
  const client = await connectMongo(options.url);
  try {
    const collection = client.db(options.db).collection(options.collection);
    const firstId = await prepareCollection(collection, options);
    let next = 0;
    let inserted = 0;
    const insertNext = async (): Promise<void> => {
      while (next < options.amount) {
        const start = next;
        next = Math.min(start + batchSize, options.amount);
        const documents = make(firstId + start, next - start);
        await collection.insertMany(documents, { ordered: false });
        inserted += documents.length;
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

/** @returns the number of the first document to make */
async function prepareCollection(collection: Collection, { ifExists }: SeedOptions): Promise<number> {
  const count = await collection.countDocuments({}, { limit: 1 });
  if (count === 0) return 1;
  switch (ifExists) {
    case 'fail':
      throw new SourceError(`the collection ${collection.namespace} already has documents`, {
        code: 'COLLECTION_HAS_DOCUMENTS',
        fix: 'choose what to do with them: --if-exists drop (removes them) or append; or choose another MONGO_COLLECTION.',
      });
    case 'drop':
    case 'truncate':
      await collection.drop();
      return 1;
    case 'append':
      return (await collection.countDocuments()) + 1;
  }
}
