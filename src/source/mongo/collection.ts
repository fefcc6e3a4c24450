/** A MongoDB collection as a source: pages of raw BSON in the order of `_id`. */

import type { Db, MongoClient } from 'mongodb';
import { NothingToCopyError, SourceChangedError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { arrayOf, buildDocument, objectOf } from '../../bson/build.ts';
import { CollectionIdentity } from './collection-identity.ts';
import { readBatch, requireId } from './documents.ts';
import { hasMatch } from './filter-check.ts';
import { narrow } from '../../bson/filter.ts';
import { filtersBetween, readId } from './paging/id-brackets.ts';
import type { IndexSpec } from '../index-spec.ts';
import { readIndexes } from './indexes.ts';
import { readFrom, type ReadRetry } from './retry-read.ts';
import { findCollection, requireCollection } from './list-collections.ts';
import { chooseLimit, type Seen } from './paging/page-size.ts';
import { pageByCursor, pageByFind, type Paging } from './paging/paging.ts';
import { RawCommands } from './raw-commands.ts';
import { RecentDocuments } from './recent-documents.ts';
import { readRequiredFields } from './required-fields.ts';
import { sampleDocuments, sampleIds } from './sampling/random-sample.ts';
import { sampleByFind, sampleEnds } from './sampling/sample-by-find.ts';
import { isRefusedConcern, noGuarantee, type ReadGuarantee } from './read-guarantee.ts';
import { UnknownTypes } from './paging/unknown-types.ts';
import type { Divide, Hints, IdSample, Lookup, Sample, Source } from '../source.ts';
import { invoke } from '../../config/invocation.ts';
import type { Interval, Page } from '../page.ts';
import { listDocuments } from '../../bson/cursor.ts';

const everything: Interval = { after: null, until: null };

export interface CollectionOptions extends ReadRetry {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
  /** How long the server may be silent before its connection counts as broken; 0 for no limit. */
  readonly answerTimeoutMs: number;
  /** A BSON document; only matching documents are read. Absent: all. */
  readonly filter?: Uint8Array | undefined;
  /** The read concern. */
  readonly guarantee?: ReadGuarantee;
  /** An empty collection is allowed, because it is followed: documents may come later. */
  readonly mayBeEmpty?: boolean;
  /** The server would scan the whole collection for each page, so one cursor is used instead. */
  readonly scansForPages?: boolean;
}

/**
 * Checks that the collection exists, can be read, and has documents.
 * @throws SourceError that says what to do
 */
export async function openCollection(client: MongoClient, options: CollectionOptions): Promise<Source> {
  return await readFrom(options.url, () => inspect(client.db(options.db), options), options);
}

async function inspect(db: Db, options: CollectionOptions): Promise<Source> {
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
  /** The sample of the plan, which gives the size of documents before the first page; null without one. */
  #sampled: Seen | null = null;

  constructor(db: Db, options: CollectionOptions, collectionId: string | null) {
    this.#db = db;
    this.#commands = new RawCommands(db, options.collection, options.guarantee);
    this.#options = options;
    this.#filter = options.filter;
    this.name = `${db.databaseName}.${options.collection}`;
    this.#identity = new CollectionIdentity(db, options.collection, collectionId);
    // A server that scans for pages would scan the whole collection for each range.
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

  /** Ignores the filter. */
  async hasDocuments(): Promise<boolean> {
    const [first] = listDocuments(readBatch(await this.#findFirst()));
    // A document without an _id is refused here, before a table is created.
    if (first !== undefined) requireId(first);
    return first !== undefined;
  }

  /** The first command on the collection, which shows whether the server accepts the read concern. */
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

  countDocuments(): Promise<number> {
    return this.#read(() => this.#commands.countMatching(this.#filter ?? buildDocument()));
  }

  requiredFields(): Promise<string[]> {
    return this.#read(async () => {
      return readRequiredFields((await findCollection(this.#db, this.#options.collection)) ?? {});
    });
  }

  async sample(size: number): Promise<Sample> {
    const sample = await this.#read(() => this.#sample(size));
    const bytes = sample.documents.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#sampled = { documentCount: sample.documents.length, bytes };
    return sample;
  }

  listIndexes(): Promise<IndexSpec[]> {
    return this.#read(() => readIndexes(this.#db, this.#options.collection));
  }

  async readByIds(ids: readonly Uint8Array[]): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    // One at a time, because two documents of 16 MB do not fit into one reply.
    for (const id of ids) {
      const cursor = await this.#read(() => this.#commands.find(filterById(id), 1, 1));
      const [document] = listDocuments(readBatch(cursor));
      if (document !== undefined) found.set(Buffer.from(id).toString('latin1'), document);
    }
    return found;
  }

  sampleIds(wanted: number): Promise<IdSample | null> {
    return this.#read(() =>
      sampleIds(this.#commands, wanted, this.#filter !== undefined, (ids) => this.#findIds(ids, everything)),
    );
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
          // A dropped collection has no documents either.
          if (found === null) await this.#identity.requireSame();
          return found;
        });
        // After a restart, the server may have another collection of the same name.
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
      // If this fails, the server closes the cursor later by itself.
      await paging.close().catch(() => undefined);
    }
  }

  /** The check for servers without UUIDs of collections. */
  async #requireRecent(): Promise<void> {
    if (this.identity !== null) return;
    try {
      await this.#recent.requireAny(this.name, async (id) => (await this.readByIds([id])).size > 0);
    } catch (error) {
      // If the whole collection was dropped since the page was read, that is what to say.
      if (error instanceof SourceChangedError) await this.#read(() => this.#identity.requireSame());
      throw error;
    }
  }

  async #sample(size: number): Promise<Sample> {
    const documents = await sampleDocuments(this.#commands, this.#filter, size);
    if (documents !== null) return { documents, method: 'random' };
    const sampleBy = this.#options.scansForPages === true ? sampleEnds : sampleByFind;
    return await sampleBy((filter, direction, limit) => this.#find(filter, direction, limit), size);
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

  /** @returns a BSON array of documents, in the order of `_id` or the reverse, of at most 16 MB */
  async #find(filter: Uint8Array, direction: 1 | -1, limit: number): Promise<Uint8Array> {
    return readBatch(await this.#commands.find(narrow(filter, this.#filter), direction, limit));
  }

  /** Retries transient errors. Each read is one command, so a retry is safe. */
  #read<T>(read: () => Promise<T>): Promise<T> {
    return readFrom(this.#options.url, read, this.#options);
  }
}

/** With `$eq`, because a bare regular expression would be a pattern, and a bare object of `$names` would be operators. */
function filterById(id: Uint8Array): Uint8Array {
  return buildDocument(['_id', objectOf(['$eq', readId(id)])]);
}
