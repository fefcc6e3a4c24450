/** Waits for a condition for which there is no event, such as the end of a process that is not a child of this one. */
import { setTimeout as delay } from 'node:timers/promises';

/** Short compared with the start of a server (200 ms and more), long compared with the cost of reading one small file. */
const pollIntervalMs = 25;

/**
 * Calls `check` until it returns a value other than undefined, and returns that value.
 * @returns undefined after `timeoutMs`
 * @throws the signal's reason when it is aborted
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
