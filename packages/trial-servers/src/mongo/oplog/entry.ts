/** The entries of the oplog: operations in the order of execution. */
import type { Place } from '../storage/place.ts';
import type { ClusterTime } from './cluster-time.ts';

export type DocumentOperation = 'insert' | 'update' | 'replace' | 'delete';
export type CatalogOperation =
  'create' | 'createIndexes' | 'dropIndexes' | 'modify' | 'rename' | 'drop' | 'dropDatabase';
export type OperationKind = DocumentOperation | CatalogOperation | 'noop';

/** Documents before and after a change, of a collection that keeps them (`changeStreamPreAndPostImages`). */
export interface Images {
  readonly before: Buffer;
  readonly after: Buffer | undefined;
}

/**
 * One operation, or, of inserts, as many as `count`, at `count` times in a row: the documents of an insert command are
 * consecutive in the message, so that they need no object each.
 *
 * `bytes` from `start` on, `length` bytes: the documents of an insert, the document of a replace, `{_id}` of a delete,
 * `{documentKey, updateDescription}` of an update, and for others the fields of their event.
 */
export interface OplogEntry {
  /** Of the first operation. */
  readonly time: ClusterTime;
  readonly count: number;
  readonly wallMs: number;
  readonly kind: OperationKind;
  readonly place: Place;
  readonly bytes: Buffer;
  readonly start: number;
  readonly length: number;
  readonly images?: Images | undefined;
  /** The target of a rename. */
  readonly to?: Place | undefined;
}

/** Of the last operation of the entry. */
export function lastTimeOf({ time, count }: OplogEntry): ClusterTime {
  return time + count - 1;
}
