/**
 * How fresh what is read is, and whether it stays: a majority of the set has it, so that no failover takes it back, and no
 * member answers that is behind the moment from which on it is asked for.
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
   * @param after null where the server has no cluster time: then nothing is promised
   * @param isRequired what is read is kept in step by its changes: no change corrects what was rolled back, or was older
   */
  constructor(after: ClusterTime | null, isRequired = false) {
    this.#after = after;
    this.#isRequired = isRequired;
  }

  get isGiven(): boolean {
    return this.#after !== null && !this.#isGivenUp;
  }

  /** The server refuses to be asked for it. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** Of commands that read; undefined for the server's own. What the URL says of the level goes first, unless it is required. */
  readConcernOf({ readConcern }: Db): BSON.Document | undefined {
    const own = readConcern?.toJSON();
    if (this.#after === null || this.#isGivenUp) return own;
    const level = this.#isRequired ? 'majority' : String(own?.level ?? 'majority');
    // The other levels take no time.
    if (level !== 'majority' && level !== 'local') return own;
    return { level, afterClusterTime: toTimestamp(this.#after) };
  }
}

/** What every server has. */
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

/** The server does not know a read concern, or not this one. */
export function isRefusedConcern(error: unknown): boolean {
  return error instanceof MongoServerError && refusals.has(Number(error.code));
}
