/** Runs index builds, several at a time, each in a session of its own with maintenance memory. */

import { Session } from '../connection/session.ts';
import { raiseIndexMemory } from './primary-key.ts';

export interface SideBySideOptions {
  readonly url: string;
  readonly retryLimitMs: number;
  readonly answerTimeoutMs: number;
  /** See `SessionOptions`. */
  readonly hostId?: string;
  /** How many to run at a time. */
  readonly jobs: number;
  /** Cancels running builds. */
  readonly signal: AbortSignal;
}

/**
 * @param work builds one item; the given signal cancels it
 * @throws the first error, which cancels the other jobs; or the signal's reason
 */
export async function buildSideBySide<Item>(
  items: readonly Item[],
  options: SideBySideOptions,
  work: (session: Session, item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  // All jobs share one iterator.
  const queue = items.values();
  const jobs = Math.min(options.jobs, items.length);
  await runSideBySide({ ...options, jobs }, async (session, signal) => {
    for (const item of queue) await work(session, item, signal);
  });
}

/**
 * @param job is run `jobs` times at once; the given signal cancels it
 * @throws the first error, which cancels the other jobs; or the signal's reason
 */
export async function runSideBySide(
  { url, retryLimitMs, answerTimeoutMs, hostId, jobs, signal }: SideBySideOptions,
  job: (session: Session, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const anySignal = AbortSignal.any([signal, failure.signal]);
  const runJob = async (): Promise<void> => {
    const session = await Session.open(
      {
        url,
        applicationName: 'mongo2pg index',
        hostId,
        retryLimitMs,
        answerTimeoutMs,
        onConnect: raiseIndexMemory,
        signal: anySignal,
      },
      'retry',
    );
    try {
      await job(session, anySignal);
    } finally {
      await session.close();
    }
  };
  const endOthers = (error: unknown): void => {
    failure.abort(error);
  };
  await Promise.all(Array.from({ length: jobs }, () => runJob().catch(endOthers)));
  signal.throwIfAborted();
  failure.signal.throwIfAborted();
}
