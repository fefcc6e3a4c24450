/** What a report tells: plain data, whatever became of the job. */

import type { Summary } from '../events.ts';
import type { FollowingEvent } from '../follow-events.ts';
import type { Measurement } from '../measurement.ts';

export interface Report {
  readonly writtenAt: Date;
  /** Why the job ended before its end; null when it came to its end. */
  readonly failure: string | null;
  /** The last ones, when there were many. */
  readonly notices: readonly string[];
  readonly sections: readonly Section[];
  /** What was followed after the copy; null where nothing was. */
  readonly following: FollowSection | null;
}

/** What was followed. */
export interface FollowSection {
  /** As it was told last. */
  readonly latest: FollowingEvent;
  readonly isCutOver: boolean;
  readonly endMs: number;
  /** Everything with one number an interval. */
  readonly series: {
    readonly intervalMs: number;
    /** Documents merged. */
    readonly changes: readonly number[];
    readonly lagMs: readonly number[];
    readonly journalRows: readonly number[];
  };
}

/** One collection. */
export interface Section {
  readonly source: string;
  /** Null when it did not get as far as having a plan. */
  readonly target: { readonly database: string; readonly table: string } | null;
  /** Committed by this process and those before it: so far, or in all once there is an account. */
  readonly documents: number;
  /** How many of them by those before it. */
  readonly committedBefore: number;
  /** Of BSON, for `documents`. */
  readonly bytes: number;
  readonly expectedDocuments: number;
  /** The account; null when the collection was not copied to its end. */
  readonly summary: Summary | null;
  /** Why it was not; null as well when only the whole job has a reason. */
  readonly failure: string | null;
  /** When each step ended, from the beginning; undefined for steps that were not reached. */
  readonly planEndMs: number | undefined;
  readonly loadEndMs: number | undefined;
  readonly endMs: number;
  readonly measurement: Measurement;
  readonly primaryPeakRssBytes: number;
  readonly series: Series;
}

/** Everything with one number an interval. */
export interface Series {
  readonly intervalMs: number;
  /** Documents and bytes of BSON committed, spread over the time that their worker was at them. */
  readonly documents: readonly number[];
  readonly bytes: readonly number[];
  readonly inFlightBatches: readonly number[];
  readonly inFlightBytes: readonly number[];
  readonly primaryRssBytes: readonly number[];
  readonly workers: readonly WorkerSeries[];
}

export interface WorkerSeries {
  readonly id: string;
  /** From the beginning of the section: when it was ready for batches, and when it was gone (or the section ended). */
  readonly readyMs: number;
  readonly goneMs: number;
  /** How much of the interval, in milliseconds. */
  readonly transcodeMs: readonly number[];
  readonly loadMs: readonly number[];
  /** Null before the worker's first ack, and once it was gone. */
  readonly memoryBytes: readonly (number | null)[];
}
