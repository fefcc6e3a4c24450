/** Releases all that a host has taken and has not finished. */

import type pg from 'pg';
import { releaseCopyRanges } from './host-ranges.ts';
import { releaseVerificationRanges } from './host-verifications.ts';
import type { RangeJobs } from './range-jobs.ts';

/**
 * To be called in a transaction. Waits for the batches in flight; if that takes long, their sessions are ended.
 * @returns the number of ranges that wait for another host because of it
 */
export async function releaseRanges(client: pg.Client, jobs: RangeJobs, hostId: string): Promise<number> {
  const opened = await releaseCopyRanges(client, jobs, hostId);
  return opened + (await releaseVerificationRanges(client, jobs, hostId));
}
