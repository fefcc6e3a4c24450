/** What the host does that leads a copy: the ordinary `migrate`, of which other hosts read and load a part. */

import { UsageError } from '../../common/errors.ts';
import { retry } from '../../common/retry.ts';
import type { Outcome } from '../../observe/outcome.ts';
import { migrate } from '../job/job.ts';
import type { MigrateOptions } from '../job/options.ts';
import type { LeaderWork } from './host-job.ts';

export type CopyOptions = Omit<MigrateOptions, 'hosts' | 'ledSince' | 'share' | 'handsOver' | 'signal'>;

/** @throws MigrationError */
export async function leadCopy(
  { config, hosts, share, handsOver, signal, takenOverFrom, requireMembership }: LeaderWork,
  options: CopyOptions,
): Promise<Outcome> {
  const earlier = takenOverFrom === null ? {} : { ledSince: takenOverFrom.joinedAt };
  const work = async (): Promise<Outcome> => {
    await requireMembership();
    return await migrate(config, { ...options, signal, hosts, share, handsOver, ...earlier });
  };
  // The leader before may have reconnected and locked again, until it learns that it was declared dead.
  const isTransient = (error: unknown): boolean => takenOverFrom !== null && isLocked(error);
  return await retry(work, { limitMs: config.retrySeconds * 1000, isTransient, signal });
}

/** The table, the job or the stream is locked by another process. */
const lockedCodes = new Set(['TABLE_BUSY', 'JOB_BUSY', 'STREAM_BUSY']);

function isLocked(error: unknown): boolean {
  return error instanceof UsageError && lockedCodes.has(error.code);
}
