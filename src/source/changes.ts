/**
 * What a source tells of its changes. Only which documents changed is told, never to what: whoever follows reads the
 * documents as they are by then.
 */

import type { ClusterTime } from './cluster-time.ts';

/** Where a change stream goes on. */
export interface StreamPosition {
  /** A BSON document; only its server looks into it. */
  readonly token: Uint8Array;
  /** Every change up to here comes before the position, and every later one after it. */
  readonly time: ClusterTime;
}

export const changeKinds = ['insert', 'update', 'replace', 'delete'] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** A document was written. */
export interface DocumentChange {
  readonly kind: ChangeKind;
  readonly collection: string;
  /** `{_id: …}` as BSON. */
  readonly id: Uint8Array;
  readonly time: ClusterTime;
}

/** A collection ended, or another one took its name: what was copied of it is the copy of nothing any more. */
export interface CollectionChange {
  readonly kind: 'drop' | 'rename' | 'dropDatabase';
  /** Null: all collections of the database. */
  readonly collection: string | null;
  /** Of a rename, the new name. */
  readonly newName: string | null;
  readonly time: ClusterTime;
}

/** What one question to the stream was answered with. */
export interface ChangeReply {
  /** In the order in which they were made. */
  readonly documents: readonly DocumentChange[];
  readonly collections: readonly CollectionChange[];
  /** After all of these. */
  readonly position: StreamPosition;
  /** The time of the server that answered: how far the position is behind it is the lag. */
  readonly serverTime: ClusterTime;
}

export interface ChangeStream {
  /** Where the first reply begins. */
  readonly position: StreamPosition;
  /**
   * Waits about a second when there is nothing to tell. A stream that breaks is opened again where it was.
   * @throws HistoryLostError, SourceError
   */
  next(): Promise<ChangeReply>;
  close(): Promise<void>;
}

/** A collection that is followed. */
export interface ChangingCollection {
  readonly collection: string;
  /** See `Source`. */
  readonly identity: string | null;
}

/** What a source can do whose changes can be followed. */
export interface Changes {
  /**
   * @param collections names and patterns, as MONGO_COLLECTION has them
   * @param from null: from now on
   * @throws SourceError when the server has no change streams, or the user no right to them
   */
  openStream(
    collections: { readonly wanted: string; readonly excluded: string },
    from: StreamPosition | null,
  ): Promise<ChangeStream>;
  /**
   * The documents of these `_id`s that are there at `after` or later, as a majority of the set has them. Some may be of
   * another `_id` that the collection's order takes for the same.
   * @param ids BSON documents `{_id: …}`
   * @returns null where several ids have more documents than fit into one answer: ask for fewer
   * @throws SourceChangedError when the collection was dropped or renamed by then: its documents are not deleted
   */
  readCurrent(
    of: ChangingCollection,
    ids: readonly Uint8Array[],
    after: ClusterTime,
    filter?: Uint8Array,
  ): Promise<Uint8Array | null>;
  /** A majority of the set has everything up to this time. */
  readTime(): Promise<ClusterTime>;
  /** Since when the server keeps its history; null where it does not tell. */
  readOldestTime(): Promise<ClusterTime | null>;
}
