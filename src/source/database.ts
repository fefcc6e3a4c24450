/** The database whose collections are copied: on a MongoDB server, or in a dump. */

import type { CollectionInfo } from '../config/collection-choice.ts';
import type { Changes } from './changes.ts';
import type { ClusterTime } from './cluster-time.ts';
import type { ServerFacts } from './server-facts.ts';
import type { Source } from './source.ts';

export interface Database {
  /** The part before the dot in `school.users`. */
  readonly name: string;
  /** @throws SourceError */
  listCollections(): Promise<CollectionInfo[]>;
  /**
   * @param filter a BSON document; only matching documents are read. Absent: all
   * @param after documents are read as of this time or later, and an empty collection is allowed
   * @throws SourceError that says what to do
   */
  open(collection: string, filter?: Uint8Array, after?: ClusterTime): Promise<Source>;
  /** Absent for a dump. */
  readonly changes?: Changes;
  /** Absent for a dump. @throws SourceError */
  describeServer?(): Promise<ServerFacts>;
  /** Sends a cheap request to the server; absent for a dump. */
  ping?(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Called with information about the server for people. */
  readonly onNotice?: (message: string) => void;
  /** Called when a request is retried after a transient error. */
  readonly onRetry?: (reason: string) => void;
  /** Ends retries; its reason is thrown. */
  readonly signal?: AbortSignal;
}
