/** The data of a report. */

import type { Summary } from '../summary.ts';
import type { FollowingEvent } from '../follow-events.ts';
import type { Measurement } from '../measurement.ts';

export interface Report {
  readonly writtenAt: Date;
  /** Why the job ended early; null if it did not. */
  readonly failure: string | null;
  /** The latest notices, if there were many. */
  readonly notices: readonly string[];
  readonly sections: readonly Section[];
  /** Following after the copy; null if there was none. */
  readonly following: FollowSection | null;
}

/** Data about following. */
export interface FollowSection {
  /** The last event. */
  readonly latest: FollowingEvent;
  readonly isCutOver: boolean;
  readonly endMs: number;
  /** Each series has one number per interval. */
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
  /** Null if no plan was made. */
  readonly target: { readonly database: string; readonly table: string } | null;
  /** Documents committed so far, by this process and earlier ones. */
  readonly documents: number;
  /** How many of `documents` earlier processes have committed. */
  readonly committedBefore: number;
  /** The BSON size of `documents`. */
  readonly bytes: number;
  readonly expectedDocuments: number;
  /** Null if the collection was not copied completely. */
  readonly summary: Summary | null;
  /** Why it was not; null also if the whole job failed. */
  readonly failure: string | null;
  /** The end of each step, in milliseconds from the start; undefined for steps that did not end. */
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
  /** Documents and bytes of BSON committed, spread over the time in which their worker worked on them. */
  readonly documents: readonly number[];
  readonly bytes: readonly number[];
  readonly inFlightBatches: readonly number[];
  readonly inFlightBytes: readonly number[];
  readonly primaryRssBytes: readonly number[];
  readonly workers: readonly WorkerSeries[];
}

export interface WorkerSeries {
  readonly id: string;
  /** In milliseconds from the start of the section: when it became ready, and when it ended (or the section did). */
  readonly readyMs: number;
  readonly goneMs: number;
  /** Milliseconds per interval. */
  readonly transcodeMs: readonly number[];
  readonly loadMs: readonly number[];
  /** Null before the worker's first ack, and after its end. */
  readonly memoryBytes: readonly (number | null)[];
}
