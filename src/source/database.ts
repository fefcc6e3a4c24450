/** A MongoDB database: one client for all of its collections that are copied. */

import type { Db, MongoClient } from 'mongodb';
import { connectMongo, openCollection, type CollectionOptions } from './collection.ts';
import type { CollectionInfo } from './collection-choice.ts';
import { insist } from './insist.ts';
import { explainMongoError } from './mongo-errors.ts';
import type { Source } from './source.ts';

export interface DatabaseOptions extends Omit<CollectionOptions, 'collection'> {
  readonly url: string;
  readonly db: string;
}

export class Database {
  readonly #client: MongoClient;
  readonly #options: DatabaseOptions;

  private constructor(client: MongoClient, options: DatabaseOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** @throws SourceError that says what to do */
  static async connect(options: DatabaseOptions): Promise<Database> {
    const client = await connectMongo(options.url, { socketTimeoutMS: options.answerTimeoutMs });
    return new Database(client, options);
  }

  /** @throws SourceError */
  async listCollections(): Promise<CollectionInfo[]> {
    try {
      return await insist(() => listInfos(this.#client.db(this.#options.db)), this.#options);
    } catch (error) {
      throw explainMongoError(error, this.#options.url);
    }
  }

  /** @throws SourceError that says what to do */
  async open(collection: string): Promise<Source> {
    return await openCollection(this.#client, { ...this.#options, collection });
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

async function listInfos(db: Db): Promise<CollectionInfo[]> {
  const found = await db.listCollections({}, { nameOnly: true }).toArray();
  return await Promise.all(
    found.map(async ({ name, type = 'collection' }) => {
      const bytes = type === 'collection' ? await readSize(db, name) : 0;
      return { name, type, bytes };
    }),
  );
}

/** For the order alone: a server without the command, or a user without the right to it, costs nothing more. */
async function readSize(db: Db, collection: string): Promise<number> {
  try {
    const { size } = await db.command({ collStats: collection });
    return Number(size);
  } catch {
    return await db.collection(collection).estimatedDocumentCount();
  }
}
