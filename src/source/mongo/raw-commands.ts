/**
 * The commands that read a collection, with raw BSON replies. They need a tenth of the CPU of the driver's own cursors,
 * which build an object for each document.
 */

import { deserialize } from 'bson';
import { MongoServerError, type BSON, type Db, type Long } from 'mongodb';
import { asObject } from '../../bson/build.ts';
import { AnswerWatch } from './answer-watch.ts';
import { readBatch } from './documents.ts';
import { cursorIdOf } from './paging/paging.ts';
import { noGuarantee, type ReadGuarantee } from './read-guarantee.ts';
import { rawField } from './raw-field.ts';
import { listDocuments } from '../../bson/cursor.ts';

/** QueryExceededMemoryLimitNoDiskUseAllowed */
const exceededMemoryLimit = 292;

export class RawCommands {
  readonly #db: Db;
  readonly #collection: string;
  readonly #watch: AnswerWatch;
  readonly #guarantee: ReadGuarantee;

  constructor(db: Db, collection: string, guarantee = noGuarantee) {
    this.#guarantee = guarantee;
    this.#db = db;
    this.#watch = AnswerWatch.of(db.client);
    this.#collection = collection;
  }

  /**
   * @param filter a BSON document, which is sent unchanged
   * @returns `cursor` of the reply: documents in the order of `_id` or the reverse, at most 16 MB
   */
  find(
    filter: Uint8Array,
    direction: 1 | -1,
    limit: number,
    projection: BSON.Document = {},
  ): Promise<Uint8Array> {
    const query = this.#query(filter, direction);
    return this.#read({ ...query, projection, limit, batchSize: limit, singleBatch: true });
  }

  /** Like `find`, without a limit: the cursor stays open if there are more documents. */
  openCursor(filter: Uint8Array, batchSize: number): Promise<Uint8Array> {
    return this.#read({ ...this.#query(filter, 1), batchSize });
  }

  async getMore(cursorId: Long, batchSize: number): Promise<Uint8Array> {
    const reply = await this.#run({ getMore: cursorId, collection: this.#collection, batchSize });
    return reply.cursor as Uint8Array;
  }

  async killCursor(cursorId: Long): Promise<void> {
    // With the same read preference, so that it reaches the server that has the cursor.
    await this.#run({ killCursors: this.#collection, cursors: [cursorId] });
  }

  /** @returns the first batch of an aggregation, as a BSON array of at most 16 MB */
  async aggregate(
    pipeline: BSON.Document[],
    batchSize: number,
    options: { readonly allowDiskUse?: true } = {},
  ): Promise<Uint8Array> {
    const cursor = await this.#read({
      aggregate: this.#collection,
      pipeline,
      cursor: { batchSize },
      ...options,
    });
    const cursorId = cursorIdOf(cursor);
    if (!cursorId.isZero()) await this.killCursor(cursorId);
    return readBatch(cursor);
  }

  /**
   * Like `aggregate`, for a pipeline with $sample. In small collections it sorts whole documents, within 100 MB of memory
   * unless `allowDiskUse` is set. Not every server knows that option, so it is set only after the memory was exceeded.
   * https://www.mongodb.com/docs/manual/reference/operator/aggregation/sample/
   */
  async aggregateSample(pipeline: BSON.Document[], batchSize: number): Promise<Uint8Array> {
    try {
      return await this.aggregate(pipeline, batchSize);
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== exceededMemoryLimit) throw error;
      return await this.aggregate(pipeline, batchSize, { allowDiskUse: true });
    }
  }

  /** Counts matching documents, up to a limit. */
  async countMatching(filter: Uint8Array, limit?: number): Promise<number> {
    const limited = limit === undefined ? [] : [{ $limit: limit }];
    const count = { $group: { _id: 1, n: { $sum: 1 } } };
    const [counted] = listDocuments(await this.aggregate([matching(filter), ...limited, count], 1));
    return counted === undefined ? 0 : Number(deserialize(counted).n);
  }

  /** The server's estimate of all documents. */
  async estimateCount(): Promise<number> {
    return Number((await this.#run(this.#withReadConcern({ count: this.#collection }))).n);
  }

  #query(filter: Uint8Array, direction: 1 | -1): BSON.Document {
    return { find: this.#collection, ...rawField('filter', asObject(filter)), sort: { _id: direction } };
  }

  async #read(command: BSON.Document): Promise<Uint8Array> {
    const reply = await this.#run(this.#withReadConcern(command));
    return reply.cursor as Uint8Array;
  }

  /** Needed because the driver's `command` ignores the read concern of the URL. */
  #withReadConcern(command: BSON.Document): BSON.Document {
    const readConcern = this.#guarantee.readConcernOf(this.#db);
    return readConcern === undefined ? command : { ...command, readConcern };
  }

  async #run(command: BSON.Document): Promise<BSON.Document> {
    // The driver's `command` ignores the read preference of the URL as well.
    const { readPreference } = this.#db;
    return await this.#watch.guard((options) =>
      this.#db.command(command, { ...options, raw: true, readPreference }),
    );
  }
}

/** The pipeline stage for a filter, which is a BSON document. */
export function matching(filter: Uint8Array): BSON.Document {
  return rawField('$match', asObject(filter));
}
