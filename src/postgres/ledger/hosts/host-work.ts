/** What a run needs if several hosts copy it. The queue is passed in, so that pg-boss is loaded only with `--hosts`. */

import type { RangeJobs } from './range-jobs.ts';

export interface HostWork {
  /** The id of this host in the ledger. */
  readonly hostId: string;
  readonly jobs: RangeJobs;
  /** Approximate size of a range. */
  readonly rangeBytes: number;
}

/** The name of the queue of ranges that a run copies. */
export function queueOfRun(runId: string): string {
  return `run-${runId}`;
}
