/**
 * The commands that read a collection, with their replies as raw BSON. This way of reading costs a tenth of the CPU of
 * the driver's own cursors, which build an object for each document.
 */

import { deserialize } from 'bson';
import type { BSON, Db, Long } from 'mongodb';
import { asObject } from '../../bson/build.ts';
import { AnswerWatch } from './answer-watch.ts';
import { readBatch } from './documents.ts';
import { cursorIdOf } from './paging.ts';
import { noGuarantee, type ReadGuarantee } from './read-guarantee.ts';
import { rawField } from './raw-field.ts';
import { listDocuments } from '../../bson/cursor.ts';

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
   * @param filter a BSON document, which is sent as it is
   * @returns `cursor` of the reply: documents in the order of `_id` or the reverse, never more than 16 MB
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

  /** Like `find`, and without a limit: the cursor stays open when there is more. */
  openCursor(filter: Uint8Array, batchSize: number): Promise<Uint8Array> {
    return this.#read({ ...this.#query(filter, 1), batchSize });
  }

  async getMore(cursorId: Long, batchSize: number): Promise<Uint8Array> {
    const reply = await this.#run({ getMore: cursorId, collection: this.#collection, batchSize });
    return reply.cursor as Uint8Array;
  }

  async killCursor(cursorId: Long): Promise<void> {
    // By the read preference, too: it is on the server that it was opened on.
    await this.#run({ killCursors: this.#collection, cursors: [cursorId] });
  }

  /** @returns the first batch, as BSON: one reply's worth of an aggregation, never more than 16 MB */
  async aggregate(pipeline: BSON.Document[], batchSize: number): Promise<Uint8Array> {
    const cursor = await this.#read({ aggregate: this.#collection, pipeline, cursor: { batchSize } });
    const cursorId = cursorIdOf(cursor);
    if (!cursorId.isZero()) await this.killCursor(cursorId);
    return readBatch(cursor);
  }

  /** How many documents match, up to a limit. */
  async countMatching(filter: Uint8Array, limit?: number): Promise<number> {
    const limited = limit === undefined ? [] : [{ $limit: limit }];
    const count = { $group: { _id: 1, n: { $sum: 1 } } };
    const [counted] = listDocuments(await this.aggregate([matching(filter), ...limited, count], 1));
    return counted === undefined ? 0 : Number(deserialize(counted).n);
  }

  /** Of all documents, by the server's own books. */
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

  /** `command` does not take it from the URL by itself. */
  #withReadConcern(command: BSON.Document): BSON.Document {
    const readConcern = this.#guarantee.readConcernOf(this.#db);
    return readConcern === undefined ? command : { ...command, readConcern };
  }

  async #run(command: BSON.Document): Promise<BSON.Document> {
    // Nor does it take this.
    const { readPreference } = this.#db;
    return await this.#watch.guard((options) =>
      this.#db.command(command, { ...options, raw: true, readPreference }),
    );
  }
}

/** The stage that leaves the documents of a filter, a BSON document. */
export function matching(filter: Uint8Array): BSON.Document {
  return rawField('$match', asObject(filter));
}
