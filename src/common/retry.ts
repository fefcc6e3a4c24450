/** Tries again what failed for a reason that passes by itself, with growing pauses, up to a limit. */

import { setTimeout as delay } from 'node:timers/promises';

/** Short enough to go unnoticed where a server has only dropped one connection. */
const firstPauseMs = 50;
/** Long enough not to be in the way of a server that is starting. */
const longestPauseMs = 2_000;

export interface RetryOptions {
  /** From the first failure on; a failure after that is final. */
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

/** Doubles with every attempt; the random part keeps workers that failed together from coming back together. */
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
