/**
 * The changes of a source. A change names the document only, not its new value: a process that follows reads the document again,
 * in its current state.
 */

import type { ClusterTime } from './cluster-time.ts';

/** The position from which a change stream resumes. */
export interface StreamPosition {
  /** A BSON document; opaque, only its server interprets it. */
  readonly token: Uint8Array;
  /** Changes up to this time are before the position, later ones after it. */
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

/** A collection was dropped or renamed, so that its copy has no source any more. */
export interface CollectionChange {
  readonly kind: 'drop' | 'rename' | 'dropDatabase';
  /** Null for all collections of the database. */
  readonly collection: string | null;
  /** For a rename, the new name. */
  readonly newName: string | null;
  readonly time: ClusterTime;
}

/** One reply of the stream. */
export interface ChangeReply {
  /** In the order in which the changes were made. */
  readonly documents: readonly DocumentChange[];
  readonly collections: readonly CollectionChange[];
  /** The position after all of these. */
  readonly position: StreamPosition;
  /** The current time of the server. The lag is how far the position is behind it. */
  readonly serverTime: ClusterTime;
}

export interface ChangeStream {
  /** The position before the first reply. */
  readonly position: StreamPosition;
  /**
   * Waits about a second if there are no changes. A broken stream is reopened at its position.
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

/** A source whose changes can be followed. */
export interface Changes {
  /**
   * @param collections names and patterns, as MONGO_COLLECTION has them
   * @param from null to start now
   * @throws SourceError if the server has no change streams, or the user has no right to them
   */
  openStream(
    collections: { readonly wanted: string; readonly excluded: string },
    from: StreamPosition | null,
  ): Promise<ChangeStream>;
  /**
   * The documents with these `_id`s, as a majority of the set has them at `after` or later. Some may have another `_id` that
   * is equal in the collection's order.
   * @param ids BSON documents `{_id: …}`
   * @returns null if the documents do not fit into one reply: ask for fewer
   * @throws SourceChangedError if the collection was dropped or renamed meanwhile, so that missing documents were not deleted
   */
  readCurrent(
    of: ChangingCollection,
    ids: readonly Uint8Array[],
    after: ClusterTime,
    filter?: Uint8Array,
  ): Promise<Uint8Array | null>;
  /** A time up to which a majority of the set has everything. */
  readTime(): Promise<ClusterTime>;
  /** The oldest time in the server's history. */
  readOldestTime(): Promise<ClusterTime | HiddenHistory>;
}

/** Why the history is not seen: the user has no right to read it, or the server has none that can be read, such as a mongos. */
export type HiddenHistory = 'forbidden' | 'absent';
