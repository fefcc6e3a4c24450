/** A MongoDB collection as a source: pages of raw BSON in `_id` order. The only file of the tool that reads MongoDB. */

import {
  Long,
  MongoClient,
  MongoServerError,
  type BSON,
  type Collection,
  type Db,
  type MongoClientOptions,
} from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';
import { SourceError } from '../errors.ts';
import { DocumentCursor, findField } from '../transcode/bson.ts';
import { copyId, listDocuments } from './documents.ts';
import { hasMatch } from './filter-check.ts';
import { narrow } from './filter.ts';
import { filtersAfter } from './id-brackets.ts';
import { explainMongoError } from './mongo-errors.ts';
import { readRequiredFields } from './required-fields.ts';
import { sampleByFind } from './sample-by-find.ts';
import type { Page, Sample, Source } from './source.ts';

/** The driver waits 30 s for a server by default; a command line that looks dead for so long gets interrupted. */
const serverSelectionTimeoutMs = 10_000;

export interface CollectionOptions {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
  /** Only documents that match are read; all when absent. */
  readonly filter?: BSON.Document | undefined;
}

export async function connectMongo(url: string): Promise<MongoClient> {
  try {
    // What the URL says goes before what is said here.
    const named = new ConnectionString(url).typedSearchParams<MongoClientOptions>();
    const client = new MongoClient(url, {
      ...(named.has('appName') ? {} : { appName: 'mongo2pg' }),
      ...(named.has('serverSelectionTimeoutMS')
        ? {}
        : { serverSelectionTimeoutMS: serverSelectionTimeoutMs }),
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
    if (
      options.filter !== undefined &&
      !(await hasMatch(db.collection(options.collection), options.filter))
    ) {
      throw new SourceError(`no document of ${source.name} matches the filter`, { fix: 'correct FILTER.' });
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
  readonly #filter: BSON.Document | undefined;

  constructor(client: MongoClient, db: Db, { url, collection, filter }: CollectionOptions) {
    this.#client = client;
    this.#db = db;
    this.#collection = db.collection(collection);
    this.#url = url;
    this.#filter = filter;
    this.name = `${db.databaseName}.${collection}`;
  }

  /** Whatever the filter says. */
  async hasDocuments(): Promise<boolean> {
    const [first] = listDocuments(await this.#find({}, 1, 1));
    // Not later, when a table was made for it: a document without an _id is refused here.
    if (first !== undefined) copyId(first);
    return first !== undefined;
  }

  estimateCount(): Promise<number> {
    return this.#explained(() => {
      return this.#filter === undefined
        ? this.#collection.estimatedDocumentCount()
        : this.#collection.countDocuments(this.#filter);
    });
  }

  requiredFields(): Promise<string[]> {
    return this.#explained(async () => {
      const [info] = await this.#db.listCollections({ name: this.#collection.collectionName }).toArray();
      return readRequiredFields(info ?? {});
    });
  }

  sample(size: number): Promise<Sample> {
    return this.#explained(async () => {
      try {
        const match = this.#filter === undefined ? [] : [{ $match: this.#filter }];
        const documents = await this.#readSample([...match, { $sample: { size } }], size);
        return { documents, method: 'random' };
      } catch (error) {
        if (!isUnknownStage(error)) throw error;
        return await sampleByFind((filter, direction, limit) => {
          return this.#find(narrow(filter, this.#filter), direction, limit);
        }, size);
      }
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

  /** One page as a command of its own: nothing that times out between pages, nothing lost at a failover. */
  async #readPage(filter: BSON.Document, limit: number): Promise<Page | null> {
    const documents = await this.#find(narrow(filter, this.#filter), 1, limit);
    const document = new DocumentCursor(documents);
    let count = 0;
    while (document.next()) count++;
    if (count === 0) return null;
    return { documents, count, lastId: copyId(documents.subarray(document.start, document.end)) };
  }

  /** The bytes of a BSON array of documents, in the order of `_id` or the reverse: never more than 16 MB. */
  async #find(filter: BSON.Document, direction: 1 | -1, limit: number): Promise<Uint8Array> {
    const cursor = await this.#readCursor({
      find: this.#collection.collectionName,
      filter,
      sort: { _id: direction },
      limit,
      batchSize: limit,
      singleBatch: true,
    });
    return readFirstBatch(cursor);
  }

  /** One reply's worth of an aggregation: never more than 16 MB. */
  async #readSample(pipeline: BSON.Document[], size: number): Promise<Uint8Array[]> {
    const aggregate = this.#collection.collectionName;
    const cursor = await this.#readCursor({ aggregate, pipeline, cursor: { batchSize: size } });
    await this.#killCursor(cursor);
    return listDocuments(readFirstBatch(cursor));
  }

  /**
   * Runs a command whose reply is a cursor, and returns that as raw BSON. This way of reading costs a tenth of the CPU
   * of the driver's own cursors, which build an object for each document.
   */
  async #readCursor(command: BSON.Document): Promise<Uint8Array> {
    const { readConcern, readPreference } = this.#db;
    // `command` does not take these from the URL by itself.
    const concern = readConcern === undefined ? {} : { readConcern: readConcern.toJSON() };
    const reply = await this.#db.command({ ...command, ...concern }, { raw: true, readPreference });
    return reply.cursor as Uint8Array;
  }

  /** Ends a cursor that has more than its first batch. */
  async #killCursor(cursor: Uint8Array): Promise<void> {
    const id = findField(cursor, 'id');
    if (id === null) return;
    const cursorId = Long.fromBytesLE([...cursor.subarray(id.valueStart, id.valueEnd)]);
    if (cursorId.isZero()) return;
    await this.#db.command({ killCursors: this.#collection.collectionName, cursors: [cursorId] });
  }

  async #explained<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw explainMongoError(error, this.#url);
    }
  }
}

/** An aggregation stage that the server does not have: mongod's code for it, and that of servers which say so. */
function isUnknownStage(error: unknown): boolean {
  return error instanceof MongoServerError && (error.code === 40324 || error.code === 238);
}

/** The array of documents in a reply's `cursor`, as BSON bytes. */
function readFirstBatch(cursor: Uint8Array): Uint8Array {
  const batch = findField(cursor, 'firstBatch');
  if (batch === null) throw new SourceError('the server answered without a firstBatch');
  return cursor.subarray(batch.valueStart, batch.valueEnd);
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
