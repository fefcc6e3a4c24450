/** A followed collection: its merges on the workers, and the slots that are being drained. */

import { arrayOfDocuments } from '../../bson/array.ts';
import { countDocuments, listDocuments } from '../../bson/cursor.ts';
import { copyId, nameOfBytes } from '../../bson/document-id.ts';
import { keyOfId } from '../../bson/id-key.ts';
import type { Ack, MergeOutcome } from '../../observe/ack.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import type { TakenChanges } from '../../postgres/follow/journal.ts';
import { noSlots, type OwnedSlot, type OwnedSlots } from '../../postgres/ledger/streams/slots.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import type { Changes, ChangingCollection } from '../../source/changes.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import type { Batch } from '../../source/page.ts';
import type { RunHandle } from '../../workers/supervisor/run-handle.ts';

/** Approximate maximum size of a drain, so that many fit into the limit of bytes in flight. */
const wantedBytes = 4_000_000;
const maxIds = 1_000;

export class Followed implements RunListener {
  /** `database.collection`, and the name alone. */
  readonly source: string;
  readonly collection: string;
  /** Identity of the copied collection. */
  readonly identity: string | null;
  readonly table: string;
  readonly runId: string;
  readonly place: FollowedCollection;
  /** Set once its run has begun on the workers. */
  handle!: RunHandle;
  endedBy: string | null = null;
  /** The collection was dropped or replaced; the stream will report how. */
  isGone = false;
  /** The error of its merges, which does not affect other collections. */
  failure: unknown = null;
  /** The slots that this process or host drains. */
  owned: OwnedSlots = noSlots;
  readonly busy = new Set<number>();
  /** Slots whose documents are read one at a time, since together they have crashed workers. */
  readonly singly = new Set<number>();
  inserted = 0;
  updated = 0;
  deleted = 0;
  readonly #acks = new Map<number, (outcome: MergeOutcome) => void>();
  #lastNumber = 0;
  /** Average size of a document, if known. */
  #bytesPerDocument = 0;

  constructor(options: Pick<Followed, 'source' | 'collection' | 'identity' | 'table' | 'runId' | 'place'>) {
    this.source = options.source;
    this.collection = options.collection;
    this.identity = options.identity;
    this.table = options.table;
    this.runId = options.runId;
    this.place = options.place;
  }

  /** How many changes of a slot to take at a time. */
  limitOf(slot: number): number {
    if (this.singly.has(slot)) return 1;
    if (this.#bytesPerDocument === 0) return maxIds;
    return Math.max(1, Math.min(maxIds, Math.floor(wantedBytes / this.#bytesPerDocument)));
  }

  /** Submits a drain to the workers. @returns its result */
  async merge(
    { slot, epoch }: OwnedSlot,
    taken: TakenChanges,
    ids: readonly AskedId[],
    bytes: Uint8Array,
  ): Promise<MergeOutcome> {
    const documentCount = countDocuments(bytes);
    if (documentCount > 0) this.#bytesPerDocument = Math.ceil(bytes.byteLength / documentCount);
    const [first] = ids;
    if (first === undefined) throw new RangeError('a drain of nothing');
    const number = ++this.#lastNumber;
    const batch: Batch = {
      ...{ bytes, documentCount, rangeNo: slot, epoch, number },
      ...{ after: null, last: first.id },
      drain: {
        slot,
        drainNo: taken.drainNo,
        ids: arrayOfDocuments(ids.map(({ id }) => id)),
        seqs: ids.map(({ seqs }) => seqs),
      },
    };
    const acked = new Promise<MergeOutcome>((resolve) => {
      this.#acks.set(number, resolve);
    });
    await this.handle.submit(batch);
    // A failed run receives no more acks.
    const outcome = await Promise.race([acked, this.handle.drain().then(() => acked)]);
    this.inserted += outcome.inserted;
    this.updated += outcome.updated;
    this.deleted += outcome.deleted;
    return outcome;
  }

  onAck(_workerId: string, { merge }: Ack, settled: readonly Batch[]): void {
    for (const { number, drain } of settled) {
      // Documents that have crashed workers are not tried together again.
      if (drain?.isGivenUp === true) this.singly.add(drain.slot);
      if (merge !== undefined) this.#acks.get(number)?.(merge);
      this.#acks.delete(number);
    }
  }
}

/** A requested document, and its journal entries. */
export interface AskedId {
  readonly id: Uint8Array;
  readonly seqs: readonly number[];
}

/** Each `_id` once. */
export function listAsked({ rows }: Pick<TakenChanges, 'rows'>): AskedId[] {
  const asked = new Map<string, { readonly id: Uint8Array; readonly seqs: number[] }>();
  for (const { seq, id } of rows) {
    const name = nameOfBytes(id);
    const known = asked.get(name);
    if (known === undefined) asked.set(name, { id, seqs: [seq] });
    else known.seqs.push(seq);
  }
  return [...asked.values()];
}

/**
 * Reads the state of documents at a time or later.
 * @returns the ids whose documents fit into one reply, with the documents
 * @throws SourceChangedError
 */
export async function readAsked<T extends Pick<AskedId, 'id'>>(
  changes: Pick<Changes, 'readCurrent'>,
  collection: ChangingCollection,
  asked: readonly T[],
  time: ClusterTime,
  filter: Uint8Array | undefined,
): Promise<{ readonly ids: readonly T[]; readonly bytes: Uint8Array }> {
  for (let ids = asked; ; ids = ids.slice(0, Math.ceil(ids.length / 2))) {
    const wanted = ids.map(({ id }) => id);
    const array = await changes.readCurrent(collection, wanted, time, filter);
    if (array !== null) return { ids, bytes: keepAsked(array, ids) };
  }
}

/**
 * Keeps only requested documents of a reply. With a collation, others may match; they have changes and slots of their own.
 * @param array of documents, as BSON
 */
function keepAsked(array: Uint8Array, asked: readonly Pick<AskedId, 'id'>[]): Uint8Array {
  const names = new Set(asked.map(({ id }) => nameOfBytes(id)));
  let keys: Set<string> | null = null;
  const isAsked = (id: Uint8Array): boolean => {
    if (names.has(nameOfBytes(id))) return true;
    keys ??= new Set(asked.map((each) => keyOfId(each.id)));
    return keys.has(keyOfId(id));
  };
  const documents = listDocuments(array);
  const kept = documents.filter((document) => {
    const id = copyId(document);
    return id !== null && isAsked(id);
  });
  return kept.length === documents.length ? array : arrayOfDocuments(kept);
}
