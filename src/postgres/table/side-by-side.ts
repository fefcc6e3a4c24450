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
  { url, retryLimitMs, answerTimeoutMs, hostId, jobs, signal }: SideBySideOptions,
  work: (session: Session, item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const anySignal = AbortSignal.any([signal, failure.signal]);
  // All jobs share one iterator.
  const queue = items.values();
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
      for (const item of queue) await work(session, item, anySignal);
    } finally {
      await session.close();
    }
  };
  const endOthers = (error: unknown): void => {
    failure.abort(error);
  };
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, () => runJob().catch(endOthers)));
  signal.throwIfAborted();
  failure.signal.throwIfAborted();
}
