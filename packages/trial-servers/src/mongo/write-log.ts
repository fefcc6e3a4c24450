/**
 * Every write goes through here: to the journal first, so that it outlives the process, then to the documents, then to
 * the oplog, for change streams.
 */
import { findValueEnd, readInt32 } from '../../../../src/bson/raw-value.ts';
import type { StoredCollection } from './storage/stored-collection.ts';
import type { Collection, DocumentRef } from './storage/collection.ts';
import type { Address } from './storage/document-heap.ts';
import { idTypeOffset, idValueOffset } from './storage/id-index.ts';
import type { Images } from './oplog/entry.ts';
import type { Place } from './storage/place.ts';
import type { Journal } from './oplog/journal.ts';
import { noop } from './oplog/oplog.ts';
import type { NewEntry, Oplog } from './oplog/oplog.ts';
import type { RunList } from './storage/runs.ts';
import type { Updated } from './update/update.ts';

/** A document that becomes another one. */
export interface Replacement {
  readonly before: DocumentRef;
  readonly updated: Updated;
}

/** Below this, documents are copied out of the message that brought them, rather than keeping all of it. */
const minKeptBytes = 4096;

export class WriteLog {
  readonly oplog: Oplog;
  readonly #journal: Journal | undefined;

  constructor(oplog: Oplog, journal: Journal | undefined) {
    this.oplog = oplog;
    this.#journal = journal;
  }

  /** Records in a new journal when history begins: a stream that was opened before the first write has lost nothing since. */
  begin(): void {
    this.#journal?.append([noop], [], this.oplog.lastTime);
  }

  /** Documents that are in memory already, and are removed again if the write fails. */
  insert(stored: StoredCollection, inserted: RunList): void {
    if (inserted.count === 0) {
      return;
    }
    const { place } = stored;
    const entries = inserted.runs.map(({ bytes, start, length, count }): NewEntry => {
      const isCopied = length < minKeptBytes;
      return {
        kind: 'insert',
        place,
        count,
        bytes: isCopied ? Buffer.from(bytes.subarray(start, start + length)) : bytes,
        start: isCopied ? 0 : start,
        length,
      };
    });
    try {
      this.#commit(stored, entries, [], () => {
        // Documents that are only in the journal are written to the file with all others.
        if (stored.file?.isBehind === false) {
          stored.file.append(inserted);
        }
      });
    } catch (error) {
      stored.documents.remove(
        [...listStarts(inserted)].flatMap(({ bytes, start }) => findSame(stored.documents, bytes, start)),
      );
      throw error;
    }
    forMajority(stored, (majority) => {
      for (const { bytes, start } of listStarts(inserted)) {
        put(majority, bytes, start);
      }
    });
  }

  replace(stored: StoredCollection, replacements: readonly Replacement[]): void {
    const { place } = stored;
    const entries = replacements.map(({ before, updated }): NewEntry => {
      const { kind, after, description } = updated;
      const bytes = description === undefined ? after : Buffer.concat([readIdDocument(before), description]);
      const images = keepImages(stored, before, after);
      return { kind, place, count: 1, bytes, start: 0, length: bytes.length, images };
    });
    const documents = replacements.map(({ updated }) => updated.after);
    const journaled = replacements.map(({ updated }) =>
      updated.kind === 'update' ? updated.after : undefined,
    );
    this.#commit(stored, entries, journaled, () => {
      stored.documents.replace(documents);
    });
    forMajority(stored, (majority) => {
      for (const document of documents) {
        put(majority, document, 0);
      }
    });
    this.#fallBehind(stored);
  }

  remove(stored: StoredCollection, addresses: readonly Address[]): void {
    const { place } = stored;
    const keys: Buffer[] = [];
    const entries = addresses.map((address): NewEntry => {
      const document = stored.documents.refOf(address);
      const bytes = readIdDocument(document);
      keys.push(bytes);
      const images = keepImages(stored, document, undefined);
      return { kind: 'delete', place, count: 1, bytes, start: 0, length: bytes.length, images };
    });
    this.#commit(stored, entries, [], () => {
      stored.documents.remove(addresses);
    });
    forMajority(stored, (majority) => {
      majority.remove(keys.flatMap((key) => findSame(majority, key, 0)));
    });
    this.#fallBehind(stored);
  }

  /** Something about a collection or database, done by `apply`. */
  changeCatalog(
    kind: NewEntry['kind'],
    place: Place,
    details: Buffer,
    apply: () => void = () => undefined,
    to?: Place,
  ): void {
    const entry = { kind, place, count: 1, bytes: details, start: 0, length: details.length, to };
    this.#commit(undefined, [entry], [], apply);
  }

  #commit(
    stored: StoredCollection | undefined,
    entries: readonly NewEntry[],
    afters: readonly (Buffer | undefined)[],
    apply: () => void,
  ): void {
    if (stored?.isRolledBack === true) {
      apply();
      return;
    }
    const first = this.oplog.clock.tick(entries.reduce((total, { count }) => total + count, 0));
    this.#journal?.append(entries, afters, first);
    try {
      apply();
    } catch (error) {
      this.#journal?.undo();
      throw error;
    }
    let time = first;
    for (const entry of entries) {
      this.oplog.appendAt(entry, time);
      time += entry.count;
    }
    this.#journal?.trim();
  }

  /** The collection's file differs from the documents until it is rewritten. */
  #fallBehind(stored: StoredCollection): void {
    if (stored.file !== undefined && !stored.isRolledBack) {
      this.#journal?.fallBehind(stored);
    }
  }
}

/** `{_id}` of a stored document, which begins with it. */
export function readIdDocument({ bytes, start }: DocumentRef): Buffer {
  const idEnd = findIdEnd(bytes, start);
  const length = idEnd - start + 1;
  const document = Buffer.allocUnsafe(length);
  bytes.copy(document, 0, start, idEnd);
  document.writeInt32LE(length, 0);
  document[length - 1] = 0;
  return document;
}

function findIdEnd(bytes: Buffer, start: number): number {
  return findValueEnd(bytes[start + idTypeOffset] ?? 0, bytes, start + idValueOffset);
}

/** A copy of the document, if the collection keeps images for change streams. */
function keepImages(
  stored: StoredCollection,
  { bytes, start }: DocumentRef,
  after: Buffer | undefined,
): Images | undefined {
  if (!stored.keepsImages) {
    return undefined;
  }
  return { before: Buffer.from(bytes.subarray(start, start + readInt32(bytes, start))), after };
}

function* listStarts({ runs }: RunList): Generator<DocumentRef, void, undefined> {
  for (const { bytes, start, length } of runs) {
    for (let offset = start; offset < start + length; offset += readInt32(bytes, offset)) {
      yield { bytes, start: offset };
    }
  }
}

function findSame(documents: Collection, bytes: Buffer, start: number): Address[] {
  const address = documents.find(bytes[start + idTypeOffset] ?? 0, bytes, start + idValueOffset);
  return address === undefined ? [] : [address];
}

function put(documents: Collection, bytes: Buffer, start: number): void {
  const end = start + readInt32(bytes, start);
  if (!documents.insert(bytes, start, end)) {
    documents.replace([bytes.subarray(start, end)]);
  }
}

/** While some writes will be rolled back, the others are also applied to the state after the rollback. */
function forMajority(stored: StoredCollection, apply: (majority: Collection) => void): void {
  if (stored.majority !== undefined && !stored.isRolledBack) {
    apply(stored.majority);
  }
}
