/** Releases all that a host has taken and has not finished, and ends it. */

import type pg from 'pg';
import type { WireError } from '../../../common/errors.ts';
import { releaseCopyRanges } from './host-ranges.ts';
import { releaseVerificationRanges } from './host-verifications.ts';
import { releaseSlots } from './host-slots.ts';
import { markEnded, type HostEnd } from './hosts.ts';
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

/** `releaseRanges`, and the slots as well; then marks the host as ended. To be called in a transaction: nobody is to see a part of it. */
export async function endHost(
  client: pg.Client,
  jobs: RangeJobs,
  hostId: string,
  reason: HostEnd,
  detail: WireError | null = null,
): Promise<Released> {
  const slots = await releaseSlots(client, hostId);
  const ranges = await releaseRanges(client, jobs, hostId);
  await markEnded(client, hostId, reason, detail);
  return { slots, ranges };
}
