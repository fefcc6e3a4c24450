/** Builds on tables, several jobs at a time, each in a session of its own with memory for an index. */

import { Session } from '../connection/session.ts';
import { raiseIndexMemory } from './target.ts';

export interface SideBySideOptions {
  readonly url: string;
  readonly retryLimitMs: number;
  readonly answerTimeoutMs: number;
  /** See `SessionOptions`. */
  readonly hostId?: string;
  /** How many at a time. */
  readonly jobs: number;
  /** Has Postgres end what it is building. */
  readonly signal: AbortSignal;
}

/**
 * @param work of one item, which the signal that it is given ends
 * @throws the first failure, which ends the others, too; the signal's reason
 */
export async function buildSideBySide<Item>(
  items: readonly Item[],
  { url, retryLimitMs, answerTimeoutMs, hostId, jobs, signal }: SideBySideOptions,
  work: (session: Session, item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const anySignal = AbortSignal.any([signal, failure.signal]);
  // All jobs take from the one iterator.
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
