/** The changes of a MongoDB database: its change stream, and reads of changed documents. */

import { MongoServerError, Timestamp, type BSON, type Db, type Long, type MongoClient } from 'mongodb';
import { arrayOf, asObject, buildDocument, objectOf } from '../../../bson/build.ts';
import { narrow } from '../../../bson/filter.ts';
import type {
  Changes,
  ChangeStream,
  ChangingCollection,
  HiddenHistory,
  StreamPosition,
} from '../../changes.ts';
import { clusterTimeOf, type ClusterTime } from '../../cluster-time.ts';
import { AnswerWatch } from '../answer-watch.ts';
import { CollectionIdentity } from '../collection-identity.ts';
import { unauthorized } from '../mongo-errors.ts';
import { readBatch } from '../documents.ts';
import { readId } from '../paging/id-brackets.ts';
import { readFrom, type ReadRetry } from '../retry-read.ts';
import { MongoChangeStream } from './mongo-change-stream.ts';
import { cursorIdOf } from '../paging/paging.ts';
import { rawField } from '../raw-field.ts';
import { fromTimestamp, toTimestamp } from '../read-guarantee.ts';

export interface MongoChangesOptions extends ReadRetry {
  readonly url: string;
  readonly db: string;
}

export class MongoChanges implements Changes {
  readonly #client: MongoClient;
  readonly #db: Db;
  /** Other members may learn late that a collection was dropped. */
  readonly #primary: Db;
  readonly #options: MongoChangesOptions;
  readonly #watch: AnswerWatch;

  constructor(client: MongoClient, options: MongoChangesOptions) {
    this.#client = client;
    this.#db = client.db(options.db);
    this.#primary = client.db(options.db, { readPreference: 'primary' });
    this.#options = options;
    this.#watch = AnswerWatch.of(client);
  }

  async openStream(
    collections: { readonly wanted: string; readonly excluded: string },
    from: StreamPosition | null,
  ): Promise<ChangeStream> {
    const stream = new MongoChangeStream(this.#db, { ...this.#options, ...collections }, from);
    await stream.open();
    return stream;
  }

  readCurrent(
    { collection, identity }: ChangingCollection,
    ids: readonly Uint8Array[],
    after: ClusterTime,
    filter?: Uint8Array,
  ): Promise<Uint8Array | null> {
    return this.#retry(async () => {
      const query = narrow(buildDocument(['_id', objectOf(['$in', arrayOf(ids.map(readId))])]), filter);
      const find = {
        find: collection,
        ...rawField('filter', asObject(query)),
        batchSize: ids.length + 1,
        readConcern: { level: 'majority', afterClusterTime: toTimestamp(after) },
      };
      // The first reply usually has all documents, so the cursor needs no session.
      const { cursor } = (await this.#command(find)) as { cursor: Uint8Array };
      const cursorId = cursorIdOf(cursor);
      // Checked after reading: then the documents are certainly of this collection.
      await new CollectionIdentity(this.#primary, collection, identity).requireSame();
      if (cursorId.isZero()) return readBatch(cursor);
      // A reply is limited to 16 MB. Documents missing from it would look deleted.
      await this.#kill(collection, cursorId);
      return ids.length > 1 ? null : readBatch(cursor);
    });
  }

  readTime(): Promise<ClusterTime> {
    return this.#retry(async () => {
      // A majority read of nothing. Its reply has the time up to which a majority has everything.
      const reply = await this.#command({
        find: 'mongo2pg',
        limit: 1,
        singleBatch: true,
        readConcern: { level: 'majority' },
      });
      return fromTimestamp(reply.operationTime as Timestamp);
    });
  }

  async readOldestTime(): Promise<ClusterTime | HiddenHistory> {
    try {
      const oplog = this.#client.db('local').collection('oplog.rs');
      const [oldest] = await oplog
        .find({}, { projection: { ts: 1 } })
        .sort({ $natural: 1 })
        .limit(1)
        .toArray();
      const ts: unknown = oldest?.ts;
      return ts instanceof Timestamp ? clusterTimeOf(ts.t, ts.i) : 'absent';
    } catch (error) {
      // Reading the oplog needs a right that following does not, and a sharded cluster has an oplog per shard.
      return error instanceof MongoServerError && error.code === unauthorized ? 'forbidden' : 'absent';
    }
  }

  async #kill(collection: string, cursorId: Long): Promise<void> {
    // If this fails, the server closes the cursor by itself.
    await this.#command({ killCursors: collection, cursors: [cursorId] }).catch(() => undefined);
  }

  #command(command: BSON.Document): Promise<BSON.Document> {
    return this.#watch.guard((options) =>
      this.#db.command(command, { ...options, raw: true, readPreference: 'primary' }),
    );
  }

  #retry<T>(read: () => Promise<T>): Promise<T> {
    return readFrom(this.#options.url, read, this.#options);
  }
}
