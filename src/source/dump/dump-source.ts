/** A collection of a dump as a source. Pages are in the order of the file. */

import { existsSync } from 'node:fs';
import {
  DamagedDumpError,
  NothingToCopyError,
  SourceChangedError,
  SourceError,
  UsageError,
} from '../../common/errors.ts';
import { BsonError } from '../../bson/types.ts';
import { copyId } from '../../bson/document-id.ts';
import { readOffset } from '../../bson/position.ts';
import type { IndexSpec } from '../index-spec.ts';
import type { Interval, Page } from '../page.ts';
import { readRequiredFields } from '../mongo/required-fields.ts';
import type { Hints, Sample, Source } from '../source.ts';
import { compileFilter } from '../../bson/match/document-filter.ts';
import { filterCollection, type DumpedCollection } from './dumped-collection.ts';
import { fingerprint } from './fingerprint.ts';
import { JsonError } from '../../bson/json/json-error.ts';
import { hasCollation } from './metadata.ts';
import { PageBuilder } from './page-builder.ts';
import { Reservoir } from './reservoir.ts';

/**
 * Checks that the collection has documents, that the first one has an `_id`, and that the filter matches any.
 * @throws SourceError that says what to do
 */
export async function openDumpSource(
  db: string,
  collection: DumpedCollection,
  filter?: Uint8Array,
): Promise<Source> {
  const name = `${db}.${collection.name}`;
  const first = await readFirst(collection);
  if (first === undefined) {
    throw new NothingToCopyError(`the dump has no documents of ${name} (${collection.file.path})`, {
      code: 'COLLECTION_EMPTY',
      fix: 'correct SOURCE and MONGO_COLLECTION.',
    });
  }
  // Checked now, before a table is created for it.
  if (!mayHaveId(first)) {
    throw new SourceError(`the first document of ${name} has no _id (${collection.file.path})`, {
      code: 'ID_MISSING',
      fix: 'only documents with an _id can be copied: give each of them one.',
    });
  }
  return new DumpSource(
    name,
    await applyFilter(name, collection, filter),
    await fingerprint(collection.file.path),
  );
}

async function applyFilter(
  name: string,
  collection: DumpedCollection,
  filter: Uint8Array | undefined,
): Promise<DumpedCollection> {
  if (filter === undefined) return collection;
  const filtered = filterCollection(collection, compileFilter(filter, 'the filter'));
  if (hasCollation(collection.metadata)) {
    throw new UsageError(`${name} has a collation, and a dump can be filtered only without one`, {
      code: 'FILTER_NOT_FOR_DUMPS',
      fix: 'copy all of it and delete rows from the table; or restore the dump and copy from a server.',
    });
  }
  if ((await readFirst(filtered)) !== undefined) return filtered;
  throw new NothingToCopyError(`no document of ${name} matches the filter`, {
    code: 'FILTER_MATCHES_NOTHING',
    fix: 'correct FILTER.',
  });
}

async function readFirst(collection: DumpedCollection): Promise<Buffer | undefined> {
  for await (const [first] of collection.documents(0)) {
    if (first !== undefined) return first.bytes;
  }
  return undefined;
}

/** True for a corrupt document as well: it becomes a dead letter. */
function mayHaveId(document: Uint8Array): boolean {
  try {
    return copyId(document) !== null;
  } catch (error) {
    if (error instanceof BsonError) return true;
    throw error;
  }
}

/** The result of one pass over all documents. */
interface Survey {
  readonly size: number;
  readonly documentCount: number;
  readonly documents: readonly Buffer[];
}

class DumpSource implements Source, Hints {
  readonly name: string;
  readonly identity: string;
  readonly hints: Hints = this;
  readonly #collection: DumpedCollection;
  #survey: Survey | undefined;

  constructor(name: string, collection: DumpedCollection, identity: string) {
    this.name = name;
    this.identity = identity;
    this.#collection = collection;
  }

  async requireUnchanged(): Promise<void> {
    const { path } = this.#collection.file;
    if (!existsSync(path)) {
      throw new SourceChangedError(`the dump ${path} no longer exists`, {
        code: 'SOURCE_VANISHED',
        fix: 'it was moved or deleted while it was read; restore it, and the same command resumes.',
      });
    }
    if ((await fingerprint(path)) === this.identity) return;
    throw new SourceChangedError(
      `the dump ${path} was changed while it was read, or another took its place`,
      {
        code: 'SOURCE_CHANGED',
        fix: 'when nothing writes to it any more, start from scratch with --restart.',
      },
    );
  }

  /** Exact, unless the dump is damaged. */
  async estimateCount(): Promise<number> {
    return (await this.#surveyed(0)).documentCount;
  }

  async sample(size: number): Promise<Sample> {
    const { documents } = await this.#surveyed(size);
    const step = Math.max(1, documents.length / size);
    const sampled = documents.filter(
      (_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step),
    );
    return { documents: sampled, method: 'random' };
  }

  requiredFields(): Promise<string[]> {
    return Promise.resolve(readRequiredFields(this.#collection.metadata));
  }

  listIndexes(): Promise<IndexSpec[]> {
    return Promise.resolve([...this.#collection.metadata.indexes]);
  }

  async *pages({ after, until }: Interval, itemsPerPage: number): AsyncGenerator<Page, void, undefined> {
    const begin = after === null ? 0 : this.#requireOffset(after);
    const end = until === null ? Number.POSITIVE_INFINITY : this.#requireOffset(until);
    const page = new PageBuilder(itemsPerPage);
    let damage: DamagedDumpError | undefined;
    try {
      for await (const records of this.#collection.documents(begin)) {
        for (const record of records) {
          if (record.end > end) break;
          if (!page.hasRoomFor(record)) yield page.take();
          page.add(record);
        }
        if ((records.at(-1)?.end ?? 0) >= end) break;
      }
    } catch (error) {
      if (!(error instanceof DamagedDumpError)) throw error;
      damage = error;
    }
    // Documents before the damage are complete.
    if (!page.isEmpty) yield page.take();
    // A file that was truncated during reading would look like a short or damaged one.
    await this.requireUnchanged();
    if (damage !== undefined) throw damage;
  }

  /** Reads the whole dump; an earlier result is reused if its sample was large enough. */
  async #surveyed(size: number): Promise<Survey> {
    if (this.#survey === undefined || this.#survey.size < size) {
      const reservoir = new Reservoir(size);
      try {
        for await (const records of this.#collection.records(0)) {
          for (const { bytes } of records) reservoir.add(bytes);
        }
      } catch (error) {
        // Reported later, when the documents before the damage have been copied.
        if (!(error instanceof DamagedDumpError)) throw error;
      }
      const documents = reservoir.items.flatMap((record) => this.#tryConvert(record));
      this.#survey = { size, documentCount: reservoir.seen, documents };
    }
    return this.#survey;
  }

  #tryConvert(record: Buffer): Buffer[] {
    try {
      return [this.#collection.toBson(record)];
    } catch (error) {
      if (error instanceof JsonError) return [];
      throw error;
    }
  }

  #requireOffset(position: Uint8Array): number {
    const offset = readOffset(position);
    if (offset !== null) return offset;
    throw new SourceError(`${this.name}: the position is of a server's collection, not of a dump`, {
      code: 'POSITION_UNUSABLE',
    });
  }
}
