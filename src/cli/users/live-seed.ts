/** `npm run seed -- --live 60`: inserts, updates and deletes users for 60 s, so that there are changes to follow. */

import { setTimeout as sleep } from 'node:timers/promises';
import { MongoBulkWriteError, type Collection, type ObjectId, type WithId } from 'mongodb';
import { SourceError, UsageError } from '../../common/errors.ts';
import { formatCount, formatPlural } from '../../common/format.ts';
import { connectMongo } from '../../source/mongo/client.ts';
import { explainMongoError } from '../../source/mongo/mongo-errors.ts';
import { invoke } from '../../config/invocation.ts';
import { trialServers } from '../trial-servers.ts';
import type { User } from './user.ts';
import { defaultSeed, UserChanges, type KnownUser } from './user-changes.ts';

export interface LiveSeedOptions {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
  readonly seconds: number;
  /** Changes per second. */
  readonly rate: number;
  readonly seed?: number;
  /** Aborting it ends the changes; the current batch is finished. */
  readonly signal: AbortSignal;
  /** Called with what was done, also after an error. */
  readonly say: (message: string) => void;
}

/** How many of the existing users may be updated and deleted; the others stay as they are. */
const maxKnown = 10_000;

/** Short enough that changes are spread evenly. */
const tickMs = 50;
const maxBatch = 1_000;

/** @throws the reason of the signal, or MigrationError */
export async function changeUsers(options: LiveSeedOptions): Promise<void> {
  const { makeUsers } = await trialServers.users();
  const client = await connectMongo(options.url);
  try {
    const collection = client.db(options.db).collection<User>(options.collection);
    const changes = new UserChanges(await findUsers(collection), {
      seed: options.seed ?? defaultSeed,
      nextId: await findNextId(collection),
      makeUsers,
    });
    await change(collection, changes, options);
  } catch (error) {
    if (error instanceof MongoBulkWriteError) {
      throw new SourceError(`changing users failed: ${error.message}`, { code: 'SEED_FAILED', cause: error });
    }
    throw explainMongoError(error, options.url);
  } finally {
    await client.close();
  }
  options.signal.throwIfAborted();
}

async function change(
  collection: Collection<User>,
  changes: UserChanges,
  { seconds, rate, signal, say }: LiveSeedOptions,
): Promise<void> {
  const counts = { inserted: 0, updated: 0, deleted: 0 };
  const startMs = performance.now();
  const total = seconds * rate;
  let taken = 0;
  say(
    `changing users of ${collection.namespace}: ${formatPlural(rate, 'change')} a second for ${formatCount(seconds)} s`,
  );
  try {
    for (;;) {
      const elapsedMs = performance.now() - startMs;
      const due = Math.min(total, Math.floor((elapsedMs * rate) / 1000)) - taken;
      // A server that is slower than the rate gets as many as it can take.
      const count = Math.min(due, maxBatch);
      if (count > 0) {
        const done = await collection.bulkWrite(changes.take(count), { ordered: false });
        taken += count;
        counts.inserted += done.insertedCount;
        counts.updated += done.matchedCount;
        counts.deleted += done.deletedCount;
      }
      if (signal.aborted || elapsedMs >= seconds * 1000) return;
      if (count < maxBatch) await pause(signal);
    }
  } finally {
    const elapsedMs = performance.now() - startMs;
    const { inserted, updated, deleted } = counts;
    const perSecond = ((inserted + updated + deleted) * 1000) / Math.max(1, elapsedMs);
    say(
      `${collection.namespace}: ${formatPlural(inserted, 'user')} inserted, ${formatCount(updated)} updated, ` +
        `${formatCount(deleted)} deleted in ${(elapsedMs / 1000).toFixed(1)} s (${formatCount(perSecond)} changes/s)`,
    );
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(tickMs, undefined, { signal }).catch(() => undefined);
}

/**
 * The first users by `_id`, so that they are the same each time.
 * @throws UsageError if there are documents that `seed` did not insert, which may be needed
 */
async function findUsers(collection: Collection<User>): Promise<KnownUser[]> {
  const known = await collection.find().sort({ _id: 1 }).limit(maxKnown).toArray();
  const other = known.find((user) => !isOfSeed(user));
  if (other !== undefined) {
    throw new UsageError(`${collection.namespace} has documents that seed did not make`, {
      code: 'LIVE_NOT_USERS',
      fix: `--live changes and deletes users: choose another MONGO_COLLECTION, one that ${invoke('seed')} has filled or one that is not there yet.`,
    });
  }
  return known.map(({ _id, id }) => ({ _id, id }));
}

const fields = ['_id', 'age', 'createdAt', 'email', 'id', 'username'];

function isOfSeed(user: WithId<User>): boolean {
  const { _id, id, age, username, email, createdAt }: { [Name in keyof WithId<User>]: unknown } = user;
  return (
    Object.keys(user).sort().join() === fields.join() &&
    (_id as Partial<ObjectId>)._bsontype === 'ObjectId' &&
    [id, age].every((value) => typeof value === 'number') &&
    [username, email].every((value) => typeof value === 'string') &&
    createdAt instanceof Date
  );
}

/** One more than the id of the user that was inserted last. */
async function findNextId(collection: Collection<User>): Promise<number> {
  const [last] = await collection.find().sort({ _id: -1 }).limit(1).toArray();
  return typeof last?.id === 'number' ? last.id + 1 : 1;
}
