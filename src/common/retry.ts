/** Retries work that failed with a transient error, with exponential backoff and a time limit. */

import { setTimeout as delay } from 'node:timers/promises';

/** Too short to be noticed if a server has only dropped one connection. */
const firstPauseMs = 50;
/** Long enough not to burden a server that is starting. */
const longestPauseMs = 2_000;

export interface RetryOptions {
  /** Counted from the first failure; a failure after that is final. */
  readonly limitMs: number;
  isTransient(error: unknown): boolean;
  /** Called before each pause. */
  onRetry?(error: unknown, attempt: number): void;
  /** Ends the waiting with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** @throws the last error of `work`, or the signal's reason */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  let firstFailureMs: number | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!options.isTransient(error)) throw error;
      const nowMs = performance.now();
      firstFailureMs ??= nowMs;
      if (nowMs - firstFailureMs >= options.limitMs) throw error;
      options.onRetry?.(error, attempt);
      await pause(attempt, options.signal);
    }
  }
}

/** Doubles with every attempt. The random part keeps workers that failed together from retrying together. */
export function pauseMs(attempt: number, random = Math.random()): number {
  const full = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  return full * (0.75 + random / 4);
}

async function pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(pauseMs(attempt), undefined, signal === undefined ? {} : { signal });
  } catch {
    signal?.throwIfAborted();
  }
}
