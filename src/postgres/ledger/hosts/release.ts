/** Releases all that a host has taken and has not finished. */

import type pg from 'pg';
import { releaseCopyRanges } from './host-ranges.ts';
import { releaseVerificationRanges } from './host-verifications.ts';
import { releaseSlots } from './host-slots.ts';
import type { RangeJobs } from './range-jobs.ts';

/**
 * To be called in a transaction. Waits for the batches in flight; if that takes long, their sessions are ended.
 * @returns the number of ranges that wait for another host because of it
 */
export async function releaseRanges(client: pg.Client, jobs: RangeJobs, hostId: string): Promise<number> {
  const opened = await releaseCopyRanges(client, jobs, hostId);
  return opened + (await releaseVerificationRanges(client, jobs, hostId));
}

/** What waits for another host since it was released. */
export interface Released {
  readonly ranges: number;
  readonly slots: number;
}

/** `releaseRanges`, and the slots as well. To be called in the transaction that ends the membership. */
export async function releaseAll(client: pg.Client, jobs: RangeJobs, hostId: string): Promise<Released> {
  const slots = await releaseSlots(client, hostId);
  return { slots, ranges: await releaseRanges(client, jobs, hostId) };
}
