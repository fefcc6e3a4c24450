/** What holds the collections that are copied: a database of a MongoDB server, or a dump of one. */

import type { CollectionInfo } from '../config/collection-choice.ts';
import type { Changes } from './changes.ts';
import type { ClusterTime } from './cluster-time.ts';
import type { Source } from './source.ts';

export interface Database {
  /** The part before the dot in `school.users`. */
  readonly name: string;
  /** @throws SourceError */
  listCollections(): Promise<CollectionInfo[]>;
  /**
   * @param filter a BSON document; only documents that match are read, all when absent
   * @param after documents are read as they are at this time or later; a collection without documents is opened as well
   * @throws SourceError that says what to do
   */
  open(collection: string, filter?: Uint8Array, after?: ClusterTime): Promise<Source>;
  /** Absent for what does not change. */
  readonly changes?: Changes;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Something about the server that a person should know. */
  readonly onNotice?: (message: string) => void;
  /** A server went away, and is asked again. */
  readonly onRetry?: (reason: string) => void;
  /** Ends the trying to reach a server that is gone, with its reason. */
  readonly signal?: AbortSignal;
}
