/** A MongoDB database: one client for all of its collections. */

import type { Db, MongoClient } from 'mongodb';
import { AnswerWatch } from './answer-watch.ts';
import { connectMongo } from './client.ts';
import { openCollection, type CollectionOptions } from './collection.ts';
import type { CollectionInfo } from '../../config/collection-choice.ts';
import type { Database } from '../database.ts';
import { readFrom, retryRead } from './retry-read.ts';
import { listCollections } from './list-collections.ts';
import { explainMongoError, isTransientMongoError } from './mongo-errors.ts';
import { RawCommands } from './raw-commands.ts';
import { MongoChanges } from './changes/mongo-changes.ts';
import { ReadGuarantee } from './read-guarantee.ts';
import { readServerFacts } from './server/server-facts.ts';
import { readServerTraits, readSetTime, type ServerTraits } from './server/server-traits.ts';
import type { Changes } from '../changes.ts';
import type { ClusterTime } from '../cluster-time.ts';
import type { ServerFacts } from '../server-facts.ts';
import type { Source } from '../source.ts';

export interface MongoDatabaseOptions extends Omit<
  CollectionOptions,
  'collection' | 'filter' | 'scansForPages'
> {
  /** Called with information about the server for people. */
  readonly onNotice?: (message: string) => void;
}

export class MongoDatabase implements Database {
  readonly name: string;
  readonly #client: MongoClient;
  readonly #options: MongoDatabaseOptions;
  readonly #traits: ServerTraits;

  readonly #time: ClusterTime | null;
  readonly changes: Changes;

  private constructor(
    client: MongoClient,
    options: MongoDatabaseOptions,
    traits: ServerTraits,
    time: ClusterTime | null,
  ) {
    this.#traits = traits;
    this.#time = time;
    this.changes = new MongoChanges(client, options);
    this.name = options.db;
    this.#client = client;
    this.#options = options;
  }

  /** @throws SourceError that says what to do */
  static async connect(options: MongoDatabaseOptions): Promise<MongoDatabase> {
    const client = await connectMongo(options.url, { socketTimeoutMS: options.answerTimeoutMs });
    try {
      const traits = await retryRead(() => readServerTraits(client), options);
      if (traits.notice !== null) options.onNotice?.(traits.notice);
      const time = await retryRead(() => readSetTime(client), options);
      return new MongoDatabase(client, options, traits, time);
    } catch (error) {
      await client.close();
      throw explainMongoError(error, options.url);
    }
  }

  listCollections(): Promise<CollectionInfo[]> {
    return this.#retry(() => listInfos(this.#client.db(this.#options.db)));
  }

  describeServer(): Promise<ServerFacts> {
    return this.#retry(() => readServerFacts(this.#client));
  }

  async open(collection: string, filter?: Uint8Array, after?: ClusterTime): Promise<Source> {
    const { scansForPages } = this.#traits;
    return await openCollection(this.#client, {
      ...this.#options,
      ...{ collection, filter, scansForPages },
      guarantee: new ReadGuarantee(after ?? this.#time, after !== undefined),
      mayBeEmpty: after !== undefined,
    });
  }

  async ping(): Promise<void> {
    await AnswerWatch.of(this.#client).guard((options) =>
      this.#client.db('admin').command({ ping: 1 }, options),
    );
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #retry<T>(read: () => Promise<T>): Promise<T> {
    return readFrom(this.#options.url, read, this.#options);
  }
}

async function listInfos(db: Db): Promise<CollectionInfo[]> {
  const found = await listCollections(db);
  return await Promise.all(
    found.map(async ({ name, type = 'collection' }) => {
      const bytes = type === 'collection' ? await readSize(db, name) : 0;
      return { name, type, bytes };
    }),
  );
}

/** The size only decides the order of collections. If the server or the user's rights do not allow it, the count serves as well. */
async function readSize(db: Db, collection: string): Promise<number> {
  try {
    const { readPreference } = db;
    const { size } = await AnswerWatch.of(db.client).guard((options) =>
      db.command({ collStats: collection }, { ...options, readPreference }),
    );
    return Number(size);
  } catch (error) {
    if (isTransientMongoError(error)) throw error;
    return await new RawCommands(db, collection).estimateCount();
  }
}
