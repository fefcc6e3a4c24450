/** A MongoDB collection as a source: pages of raw BSON in `_id` order. The only file of the tool that reads MongoDB. */

import { BSON, MongoClient, type Collection, type Db } from 'mongodb';
import { SourceError } from '../errors.ts';
import { DocumentCursor, findField } from '../transcode/bson.ts';
import { explainMongoError } from './mongo-errors.ts';
import { filtersAfter } from './id-brackets.ts';
import type { Page, Source } from './source.ts';

/** The driver waits 30 s for a server by default; a command line that looks dead for so long gets interrupted. */
const serverSelectionTimeoutMs = 10_000;

export interface CollectionOptions {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
}

export async function connectMongo(url: string): Promise<MongoClient> {
  try {
    // What the URL says goes before what is said here.
    const hasOwnTimeout = /[?&]serverSelectionTimeoutMS=/i.test(url);
    const client = new MongoClient(url, {
      appName: 'mongo2pg',
      ...(hasOwnTimeout ? {} : { serverSelectionTimeoutMS: serverSelectionTimeoutMs }),
    });
    return await client.connect();
  } catch (error) {
    throw explainMongoError(error, url);
  }
}

/**
 * Connects, and makes sure that the collection is there and has documents.
 * @throws SourceError that says what to do
 */
export async function openCollection(options: CollectionOptions): Promise<Source> {
  const client = await connectMongo(options.url);
  try {
    const db = client.db(options.db);
    await requireCollection(db, options.collection);
    const source = new CollectionSource(client, db, options);
    if (!(await source.hasDocuments())) {
      throw new SourceError(`the collection ${source.name} is empty`, {
        fix: 'correct MONGO_DB and MONGO_COLLECTION, or fill it (npm run seed).',
      });
    }
    return source;
  } catch (error) {
    await client.close();
    throw explainMongoError(error, options.url);
  }
}

class CollectionSource implements Source {
  readonly name: string;
  readonly #client: MongoClient;
  readonly #db: Db;
  readonly #collection: Collection;
  readonly #url: string;

  constructor(client: MongoClient, db: Db, { url, collection }: CollectionOptions) {
    this.#client = client;
    this.#db = db;
    this.#collection = db.collection(collection);
    this.#url = url;
    this.name = `${db.databaseName}.${collection}`;
  }

  async hasDocuments(): Promise<boolean> {
    return (await this.#readPage({}, 1)) !== null;
  }

  estimateCount(): Promise<number> {
    return this.#explained(() => this.#collection.estimatedDocumentCount());
  }

  sample(size: number): Promise<Uint8Array[]> {
    return this.#explained(async () => {
      const documents = await this.#collection.aggregate([{ $sample: { size } }], { raw: true }).toArray();
      // With `raw` the driver hands out the bytes, whatever its types say.
      return documents as unknown as Uint8Array[];
    });
  }

  async *pages(itemsPerPage: number): AsyncGenerator<Page, void, undefined> {
    let lastId: Uint8Array | null = null;
    for (;;) {
      const page: Page | null = await this.#explained(() => this.#readPageAfter(lastId, itemsPerPage));
      if (page === null) return;
      yield page;
      lastId = page.lastId;
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #readPageAfter(lastId: Uint8Array | null, limit: number): Promise<Page | null> {
    for (const filter of filtersAfter(lastId)) {
      const page = await this.#readPage(filter, limit);
      if (page !== null) return page;
    }
    return null;
  }

  /**
   * One page as a command of its own: nothing that times out between pages, nothing lost at a failover. The raw reply
   * of `command` costs a tenth of the CPU of `find`, which builds an object for each document.
   */
  async #readPage(filter: BSON.Document, limit: number): Promise<Page | null> {
    const command = {
      find: this.#collection.collectionName,
      filter,
      sort: { _id: 1 },
      limit,
      batchSize: limit,
      singleBatch: true,
      // `command` does not take these from the URL by itself.
      ...(this.#db.readConcern === undefined ? {} : { readConcern: this.#db.readConcern.toJSON() }),
    };
    const reply = await this.#db.command(command, { raw: true, readPreference: this.#db.readPreference });
    return toPage(reply.cursor as Uint8Array);
  }

  async #explained<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw explainMongoError(error, this.#url);
    }
  }
}

/** @param cursor the reply's `cursor` document; its `firstBatch` is the array of documents */
function toPage(cursor: Uint8Array): Page | null {
  const batch = findField(cursor, 'firstBatch');
  if (batch === null) throw new SourceError('the server answered `find` without a firstBatch');
  const documents = cursor.subarray(batch.valueStart, batch.valueEnd);
  const document = new DocumentCursor(documents);
  let count = 0;
  while (document.next()) count++;
  if (count === 0) return null;
  return { documents, count, lastId: copyId(documents.subarray(document.start, document.end)) };
}

/** `{_id: …}` of a document, as BSON; a copy, so that it does not keep its page in memory. */
function copyId(document: Uint8Array): Uint8Array {
  const element = findField(document, '_id');
  if (element === null) {
    throw new SourceError('a document without an _id came from the server', {
      fix: 'a view or a special collection may have such; only collections with _id can be copied.',
    });
  }
  const elementBytes = document.subarray(element.nameStart - 1, element.valueEnd);
  const id = Buffer.alloc(4 + elementBytes.byteLength + 1);
  id.writeInt32LE(id.byteLength);
  id.set(elementBytes, 4);
  return id;
}

async function requireCollection(db: Db, collection: string): Promise<void> {
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
  if (names.includes(collection)) return;
  const missing = `MongoDB has no collection ${db.databaseName}.${collection}`;
  if (names.length > 0) {
    throw new SourceError(missing, { fix: `set MONGO_COLLECTION to one of: ${names.sort().join(', ')}.` });
  }
  throw new SourceError(missing, {
    fix: `the database ${db.databaseName} is empty or does not exist: correct MONGO_DB, or fill it (npm run seed).`,
  });
}
