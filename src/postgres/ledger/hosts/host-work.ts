/** What a run needs to know where several hosts copy it. The queue comes with it, so that nobody else has to load that. */

import type { RangeJobs } from './range-jobs.ts';

export interface HostWork {
  /** This one, in the ledger. */
  readonly hostId: string;
  readonly jobs: RangeJobs;
  /** About so large a range is to be. */
  readonly rangeBytes: number;
}
