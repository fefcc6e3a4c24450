/** Waits for a condition that nothing announces by an event, such as the end of a process that is not our child. */
import { setTimeout as delay } from 'node:timers/promises';

/** Short against a server's start (200 ms and up), long against the cost of reading one small file. */
const pollIntervalMs = 25;

/**
 * Calls `check` until it returns something else than undefined, and returns that; undefined once `timeoutMs`
 * have gone by. Rejects with the signal's reason when it is aborted.
 */
export async function pollUntil<T>(
  check: () => Promise<T | undefined> | T | undefined,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const found = await check();
    if (found !== undefined) return found;
    if (performance.now() >= deadlineMs) return undefined;
    await delay(pollIntervalMs);
  }
}
