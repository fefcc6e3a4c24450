/** A MongoDB collection as a source: pages of raw BSON in `_id` order. The only file of the tool that reads MongoDB. */

import { MongoClient, MongoServerError, type Db, type MongoClientOptions } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';
import { NothingToCopyError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { arrayOf, buildDocument, objectOf } from '../../bson/build.ts';
import { AnswerWatch } from './answer-watch.ts';
import { CollectionIdentity } from './collection-identity.ts';
import { readBatch, requireId } from './documents.ts';
import { hasMatch } from './filter-check.ts';
import { narrow } from '../../bson/filter.ts';
import { filtersBetween, readId } from './id-brackets.ts';
import { canDivide } from './id-cuts.ts';
import type { IndexSpec } from '../index-spec.ts';
import { readIndexes } from './indexes.ts';
import { retryRead, type ReadRetry } from './retry-read.ts';
import { findCollection, requireCollection } from './list-collections.ts';
import { explainMongoError, explainOptionsError, isTransientMongoError } from './mongo-errors.ts';
import { chooseLimit, type Seen } from './page-size.ts';
import { pageByCursor, pageByFind, type Paging } from './paging.ts';
import { matching, RawCommands } from './raw-commands.ts';
import { decodeErrors, eventOptions } from './raw-errors.ts';
import { RecentDocuments } from './recent-documents.ts';
import { readRequiredFields } from './required-fields.ts';
import { sampleByFind, sampleEnds } from './sampling/sample-by-find.ts';
import { isRefusedConcern, noGuarantee, type ReadGuarantee } from './read-guarantee.ts';
import { UnknownTypes } from './unknown-types.ts';
import type { Divide, Hints, IdSample, Lookup, Sample, Source } from '../source.ts';
import { invoke } from '../../config/invocation.ts';
import type { Interval, Page } from '../page.ts';
import { listDocuments } from '../../bson/cursor.ts';

/** The driver waits 30 s for a server by default; a command line that looks dead for so long gets interrupted. */
const serverSelectionTimeoutMs = 10_000;

/** Of which a filter may leave few. */
const sampledIdsForFilter = 1000;
/** With 5% or more mongod reads the whole collection to choose. */
const maxSampledShare = 0.04;

const everything: Interval = { after: null, until: null };

export interface CollectionOptions extends ReadRetry {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
  /** How long the server may be silent before its connection counts as broken; 0 for ever. */
  readonly answerTimeoutMs: number;
  /** A BSON document; only documents that match are read, all when absent. */
  readonly filter?: Uint8Array | undefined;
  /** How fresh documents are, and whether they stay. */
  readonly guarantee?: ReadGuarantee;
  /** One without documents is opened as well: they are to come. */
  readonly mayBeEmpty?: boolean;
  /** Each page would cost the server a pass over the whole collection: it is read through one cursor instead. */
  readonly scansForPages?: boolean;
}

/** What the URL says goes before these. */
const defaults = { appName: 'mongo2pg', serverSelectionTimeoutMS: serverSelectionTimeoutMs };

export async function connectMongo(url: string, settings: MongoClientOptions = {}): Promise<MongoClient> {
  try {
    const named = new ConnectionString(url).typedSearchParams<MongoClientOptions>();
    const unnamed = Object.entries({ ...defaults, ...settings }).filter(
      ([name]) => !named.has(name as keyof MongoClientOptions),
    );
    const client = createClient(url, { ...Object.fromEntries(unnamed), ...eventOptions });
    decodeErrors(client);
    AnswerWatch.of(client);
    return await client.connect();
  } catch (error) {
    throw explainMongoError(error, url);
  }
}

/** Nothing is reached yet, so that whatever is wrong is in the URL. @throws UsageError */
function createClient(url: string, settings: MongoClientOptions): MongoClient {
  try {
    return new MongoClient(url, settings);
  } catch (error) {
    throw explainOptionsError(error);
  }
}

/**
 * Makes sure that the collection is there, can be read, and has documents.
 * @throws SourceError that says what to do
 */
export async function openCollection(client: MongoClient, options: CollectionOptions): Promise<Source> {
  try {
    return await retryRead(() => lookInto(client.db(options.db), options), options);
  } catch (error) {
    throw explainMongoError(error, options.url);
  }
}

async function lookInto(db: Db, options: CollectionOptions): Promise<Source> {
  const collectionId = await requireCollection(db, options.collection);
  const source = new CollectionSource(db, options, collectionId);
  if (!(await source.hasDocuments()) && options.mayBeEmpty !== true) {
    throw new NothingToCopyError(`the collection ${source.name} is empty`, {
      code: 'COLLECTION_EMPTY',
      fix: `correct MONGO_DB and MONGO_COLLECTION, or fill it (${invoke('seed')}).`,
    });
  }
  const { filter, collection } = options;
  if (filter === undefined || options.mayBeEmpty === true) return source;
  if (!(await hasMatch(new RawCommands(db, collection), filter))) {
    throw new NothingToCopyError(`no document of ${source.name} matches the filter`, {
      code: 'FILTER_MATCHES_NOTHING',
      fix: 'correct FILTER.',
    });
  }
  return source;
}

class CollectionSource implements Source, Divide, Lookup, Hints {
  readonly name: string;
  readonly divide?: Divide;
  readonly lookup: Lookup = this;
  readonly hints: Hints = this;
  readonly #identity: CollectionIdentity;
  readonly #db: Db;
  readonly #options: CollectionOptions;
  readonly #filter: Uint8Array | undefined;
  readonly #commands: RawCommands;
  readonly #unknownTypes = new UnknownTypes();
  readonly #recent = new RecentDocuments();
  /** How large documents are is known before the first page where a plan was made. */
  #sampled: Seen | null = null;

  constructor(db: Db, options: CollectionOptions, collectionId: string | null) {
    this.#db = db;
    this.#commands = new RawCommands(db, options.collection, options.guarantee);
    this.#options = options;
    this.#filter = options.filter;
    this.name = `${db.databaseName}.${options.collection}`;
    this.#identity = new CollectionIdentity(db, options.collection, collectionId);
    // A server that scans for pages would go over the whole collection for each range.
    if (options.scansForPages !== true) this.divide = this;
  }

  get identity(): string | null {
    return this.#identity.id;
  }

  async requireUnchanged(): Promise<void> {
    await this.#read(() =>
      this.#options.mayBeEmpty === true
        ? this.#identity.requireSame()
        : this.#identity.requireSameAndFilled(),
    );
    await this.#requireRecent();
  }

  /** Whatever the filter says. */
  async hasDocuments(): Promise<boolean> {
    const [first] = listDocuments(readBatch(await this.#findFirst()));
    // Not later, when a table was made for it: a document without an _id is refused here.
    if (first !== undefined) requireId(first);
    return first !== undefined;
  }

  /** The first question to the collection, which shows whether the server can promise what is asked of it. */
  async #findFirst(): Promise<Uint8Array> {
    const { guarantee = noGuarantee, mayBeEmpty = false } = this.#options;
    try {
      return await this.#commands.find(buildDocument(), 1, 1);
    } catch (error) {
      if (mayBeEmpty || !guarantee.isGiven || !isRefusedConcern(error)) throw error;
      guarantee.giveUp();
      return await this.#commands.find(buildDocument(), 1, 1);
    }
  }

  estimateCount(): Promise<number> {
    return this.#read(() => {
      return this.#filter === undefined
        ? this.#commands.estimateCount()
        : this.#commands.countMatching(this.#filter);
    });
  }

  requiredFields(): Promise<string[]> {
    return this.#read(async () => {
      return readRequiredFields((await findCollection(this.#db, this.#options.collection)) ?? {});
    });
  }

  async sample(size: number): Promise<Sample> {
    const sample = await this.#sample(size);
    const bytes = sample.documents.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#sampled = { documentCount: sample.documents.length, bytes };
    return sample;
  }

  listIndexes(): Promise<IndexSpec[]> {
    return this.#read(() => readIndexes(this.#db, this.#options.collection));
  }

  async readByIds(ids: readonly Uint8Array[]): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    // One at a time: documents of 16 MB do not fit into one reply together.
    for (const id of ids) {
      const cursor = await this.#read(() => this.#commands.find(filterById(id), 1, 1));
      const [document] = listDocuments(readBatch(cursor));
      if (document !== undefined) found.set(Buffer.from(id).toString('latin1'), document);
    }
    return found;
  }

  sampleIds(wanted: number): Promise<IdSample | null> {
    return this.#read(() => this.#sampleIds(wanted));
  }

  idsWithin(ids: readonly Uint8Array[], interval: Interval): Promise<Uint8Array[]> {
    return this.#read(() => this.#findIds(ids, interval));
  }

  documentsPerPage(itemsPerPage: number): number {
    return chooseLimit(this.#sampled, itemsPerPage);
  }

  async *pages({ after, until }: Interval, itemsPerPage: number): AsyncGenerator<Page, void, undefined> {
    const pageBy = this.#options.scansForPages === true ? pageByCursor : pageByFind;
    const paging = pageBy(this.#commands);
    try {
      let last = after;
      let limit = this.documentsPerPage(itemsPerPage);
      for (;;) {
        const interval = { after: last, until };
        let attempts = 0;
        const page = await this.#read(async () => {
          attempts++;
          const found = await this.#readPage(paging, interval, limit);
          if (found === null) await reachFailpoint('primary-at-range-end');
          // What is gone has no documents either.
          if (found === null) await this.#identity.requireSame();
          return found;
        });
        // The server may have come back without the collection, and with another of its name.
        if (page !== null && attempts > 1) await this.#read(() => this.#identity.requireSame());
        if (page === null || attempts > 1 || this.#options.scansForPages !== true) {
          await this.#requireRecent();
        }
        if (page === null) return;
        if (this.identity === null) this.#recent.add(page);
        yield page;
        last = page.last;
        limit = chooseLimit(
          { documentCount: page.documentCount, bytes: page.bytes.byteLength },
          itemsPerPage,
        );
      }
    } finally {
      // The server ends the cursor by itself, if later.
      await paging.close().catch(() => undefined);
    }
  }

  /** Where nothing else tells the collection from another. */
  async #requireRecent(): Promise<void> {
    if (this.identity !== null) return;
    await this.#recent.requireAny(this.name, async (id) => (await this.readByIds([id])).size > 0);
  }

  #sample(size: number): Promise<Sample> {
    return this.#read(async () => {
      try {
        const match = this.#filter === undefined ? [] : [matching(this.#filter)];
        const array = await this.#commands.aggregate([...match, { $sample: { size } }], size);
        return { documents: listDocuments(array), method: 'random' };
      } catch (error) {
        if (!isUnknownStage(error)) throw error;
        const sampleBy = this.#options.scansForPages === true ? sampleEnds : sampleByFind;
        return await sampleBy((filter, direction, limit) => this.#find(filter, direction, limit), size);
      }
    });
  }

  async #sampleIds(wanted: number): Promise<IdSample | null> {
    const count = await this.#commands.estimateCount();
    const enough = this.#filter === undefined ? wanted : Math.max(wanted, sampledIdsForFilter);
    const size = Math.min(enough, Math.floor(count * maxSampledShare));
    if (size === 0) return null;
    try {
      const found = await this.#commands.aggregate([{ $sample: { size } }, { $project: { _id: 1 } }], size);
      // The order of types and of texts is the server's, with the collection's collation, and so it sorts.
      const ids = await this.#findIds(listDocuments(found).map(requireId).filter(canDivide), everything);
      return { ids, documentsPerId: count / size };
    } catch (error) {
      // Whatever it has against sampling: the collection can be read without it.
      if (!(error instanceof MongoServerError) || isTransientMongoError(error)) throw error;
      return null;
    }
  }

  async #findIds(ids: readonly Uint8Array[], { after, until }: Interval): Promise<Uint8Array[]> {
    if (ids.length === 0) return [];
    const among = buildDocument(['_id', objectOf(['$in', arrayOf(ids.map(readId))])]);
    return await this.#unknownTypes.avoid(async (unknown) => {
      const found: Uint8Array[] = [];
      for (const part of filtersBetween(after, until, unknown)) {
        const filter = narrow(narrow(part, among), this.#filter);
        const cursor = await this.#commands.find(filter, 1, ids.length, { _id: 1 });
        found.push(...listDocuments(readBatch(cursor)).map(requireId));
      }
      return found;
    });
  }

  #readPage(paging: Paging, { after, until }: Interval, limit: number): Promise<Page | null> {
    return this.#unknownTypes.avoid((unknown) => {
      const filters = filtersBetween(after, until, unknown);
      return paging.read(
        filters.map((filter) => narrow(filter, this.#filter)),
        limit,
      );
    });
  }

  /** The bytes of a BSON array of documents, in the order of `_id` or the reverse: never more than 16 MB. */
  async #find(filter: Uint8Array, direction: 1 | -1, limit: number): Promise<Uint8Array> {
    return readBatch(await this.#commands.find(narrow(filter, this.#filter), direction, limit));
  }

  /** A page is read again when the server goes away under it: as a command of its own it leaves nothing half done. */
  async #read<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await retryRead(read, this.#options);
    } catch (error) {
      throw explainMongoError(error, this.#options.url);
    }
  }
}

/** By `$eq`: a regular expression by itself would be taken for a pattern, an object of `$names` for operators. */
function filterById(id: Uint8Array): Uint8Array {
  return buildDocument(['_id', objectOf(['$eq', readId(id)])]);
}

/** An aggregation stage that the server does not have: mongod's code for it, and that of servers which say so. */
function isUnknownStage(error: unknown): boolean {
  return error instanceof MongoServerError && (error.code === 40324 || error.code === 238);
}
