/**
 * The read concern of commands: documents that a majority of the set has, so that no failover can undo them, from members
 * that are not behind a given time.
 */

import { MongoServerError, Timestamp, type BSON, type Db } from 'mongodb';
import type { ClusterTime } from '../cluster-time.ts';

export function toTimestamp(time: ClusterTime): Timestamp {
  return new Timestamp(time);
}

export function fromTimestamp(timestamp: Timestamp): ClusterTime {
  return timestamp.toBigInt();
}

export class ReadGuarantee {
  readonly #after: ClusterTime | null;
  readonly #isRequired: boolean;
  #isGivenUp = false;

  /**
   * @param after null if the server has no cluster time: then there is no guarantee
   * @param isRequired for collections that are followed: no later change would correct a document that was rolled back or old
   */
  constructor(after: ClusterTime | null, isRequired = false) {
    this.#after = after;
    this.#isRequired = isRequired;
  }

  get isGiven(): boolean {
    return this.#after !== null && !this.#isGivenUp;
  }

  /** Call it if the server rejects the read concern. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** The read concern for a command; undefined for the server's default. The level of the URL has priority, unless it is required. */
  readConcernOf({ readConcern }: Db): BSON.Document | undefined {
    const own = readConcern?.toJSON();
    if (this.#after === null || this.#isGivenUp) return own;
    const level = this.#isRequired ? 'majority' : String(own?.level ?? 'majority');
    // The other levels do not accept a time.
    if (level !== 'majority' && level !== 'local') return own;
    return { level, afterClusterTime: toTimestamp(this.#after) };
  }
}

/** For any server. */
export const noGuarantee = new ReadGuarantee(null);

const refusals = new Set([
  20, // IllegalOperation
  72, // InvalidOptions
  59, // CommandNotFound
  115, // CommandNotSupported
  123, // NotAReplicaSet
  148, // ReadConcernMajorityNotEnabled
  238, // NotImplemented
  303, // APIStrictError
  9, // FailedToParse
  2, // BadValue
]);

/** The server does not support read concerns, or not this one. */
export function isRefusedConcern(error: unknown): boolean {
  return error instanceof MongoServerError && refusals.has(Number(error.code));
}
