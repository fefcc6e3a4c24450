/**
 * The pause between two looks at what other hosts have done. Hosts poll the ledger, as no message tells them: to LISTEN, each would need
 * one more connection. A range takes seconds, so half a second is short; and two small queries a second are no load.
 */

import { setTimeout as delay } from 'node:timers/promises';

export const pollIntervalMs = 500;

/** Resolves early if the signal is aborted. */
export async function untilNextPoll(signal?: AbortSignal): Promise<void> {
  await delay(pollIntervalMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
