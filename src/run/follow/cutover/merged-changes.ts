/** Waits until all changes up to a time are merged, and checks that none came after it. */

import { setTimeout as delay } from 'node:timers/promises';
import { formatPlural } from '../../../common/format.ts';
import type { Config } from '../../../config/config.ts';
import { invoke } from '../../../config/invocation.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import {
  listRefusedSlots,
  readCutoverProgress,
  type CutoverProgress,
} from '../../../postgres/ledger/streams/cutover.ts';
import { isStreamLocked } from '../../../postgres/ledger/run-lock.ts';
import { dateOf, type ClusterTime } from '../../../source/cluster-time.ts';
import { notReady, requireNoLetters } from './refusals.ts';

export interface WaitOptions {
  readonly config: Config;
  readonly session: Session;
  readonly signal: AbortSignal;
}

/** How often the ledger is polled. */
const pollIntervalMs = 200;

/** Waits until all changes up to `time` are read and merged, and none came after `endTime`. */
export async function waitUntilMerged(
  options: WaitOptions,
  streamId: string,
  time: ClusterTime,
  endTime: ClusterTime,
): Promise<CutoverProgress> {
  const { session, signal, config } = options;
  const deadlineMs = performance.now() + config.waitSeconds * 1000;
  let refusedBefore: ReadonlyMap<string, number> | null = null;
  for (;;) {
    signal.throwIfAborted();
    const progress = await requireQuiet(options, streamId, endTime);
    const { tokenTime, waiting, refused, deadLettered } = progress;
    const isRead = tokenTime >= time;
    const areOnlyRefused = isRead && waiting === refused;
    if (!areOnlyRefused) {
      refusedBefore = null;
    } else if (refused === 0 || (await areRetried(options, streamId, refusedBefore))) {
      requireNoLetters(config, refused, deadLettered);
      return progress;
    } else {
      refusedBefore ??= await session.run((client) => listRefusedSlots(client, streamId));
    }
    if (!(await session.run((client) => isStreamLocked(client, streamId)))) {
      throw notReady('the process that follows has ended', `start it: ${invoke('start', '--follow')}.`);
    }
    if (performance.now() > deadlineMs) {
      if (areOnlyRefused) requireNoLetters(config, refused, deadLettered);
      throw notReady(
        `after ${config.waitSeconds} s ${formatPlural(waiting, 'change')} still waited`,
        'wait for longer with --wait, or cut over at a quieter hour.',
      );
    }
    await delay(pollIntervalMs, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * A drain that was running when the rest was merged may have conflicted with rows that were merged later. Only the drain after it
 * counts.
 */
const drainsToWaitFor = 2;

/**
 * Rows that Postgres still rejects when nothing else is left to merge are dead letters, since no other change can resolve the
 * conflict.
 */
async function areRetried(
  { session }: WaitOptions,
  streamId: string,
  before: ReadonlyMap<string, number> | null,
): Promise<boolean> {
  if (before === null) return false;
  const now = await session.run((client) => listRefusedSlots(client, streamId));
  return [...now].every(([name, drainNo]) => drainNo >= (before.get(name) ?? drainNo) + drainsToWaitFor);
}

/** @throws MigrationError when there are changes after the end time */
export async function requireQuiet(
  { session }: WaitOptions,
  streamId: string,
  endTime: ClusterTime,
): Promise<CutoverProgress> {
  const progress = await session.run((client) => readCutoverProgress(client, streamId));
  const late = Object.entries(progress.late);
  if (late.length === 0) return progress;
  const since = dateOf(endTime).toISOString().slice(11, 19);
  const text = late.map(([collection, count]) => `${collection}, ${formatPlural(count, 'change')}`);
  throw notReady(
    `collections are still written to: ${text.join('; ')} since ${since} UTC`,
    'stop all writes, and run the cutover again.',
  );
}
