/** In step with a writer: how far behind the rows are, how long the journal gets, and whether memory stays as it is. */

import type { Collection } from 'mongodb';
import { formatCount } from '../../src/common/format.ts';
import { seedDocuments } from './documents.ts';
import type { FollowSettings } from './follow-settings.ts';
import { runFollowing } from './follow-process.ts';
import { Writer } from './follow-writer.ts';
import { clearTable, type Place } from './place.ts';
import { median } from './results.ts';
import { runCommand } from './tool.ts';

/** A second of it, about. */
interface Moment {
  readonly atMs: number;
  readonly lagMs: number;
  readonly waiting: number;
  readonly ownRss: number;
  readonly allPss: number;
}

/** @returns what was measured, minute by minute */
export async function keepStep(
  place: Place,
  collection: Collection,
  { amount, workers, rate, seconds }: FollowSettings,
): Promise<string[]> {
  await seedDocuments(place.mongoUrl, 'users', 0, amount);
  await clearTable(place);
  const writer = await Writer.of(collection);
  const moments: Moment[] = [];
  let startedMs: number | null = null;
  const written: { count: number | null } = { count: null };
  let minutesTold = 0;
  let writing: Promise<void> | undefined;
  await runFollowing(place, {
    workers,
    isDone: ({ waiting, changesRead }) =>
      written.count !== null && waiting === 0 && changesRead >= written.count,
    onEvent: ({ lagMs, waiting }, { ownRss, allPss }) => {
      startedMs ??= performance.now();
      writing ??= writer.writeAtRate(rate, seconds).then((count) => {
        written.count = count;
      });
      if (written.count !== null) return;
      const atMs = performance.now() - startedMs;
      moments.push({ atMs, lagMs, waiting, ownRss, allPss });
      for (; atMs >= (minutesTold + 1) * 60_000; minutesTold++) {
        console.log(describeMinute(moments, minutesTold));
      }
    },
  });
  await writing;
  await runCommand(place, ['verify'], { CLUSTER_SIZE: String(workers) }, 'verified');
  const lags = moments.map(({ lagMs }) => lagMs / 1000);
  const minutes = Math.ceil(seconds / 60);
  return [
    `in step at ${formatCount(rate)} changes/s for ${seconds} s (made ${formatCount((written.count ?? 0) / seconds)}/s), ${workers} workers:`,
    `  lag: median ${median(lags).toFixed(1)} s, at most ${Math.max(0, ...lags).toFixed(1)} s; ` +
      `journal at most ${formatCount(Math.max(0, ...moments.map(({ waiting }) => waiting)))} rows`,
    ...Array.from({ length: minutes }, (_, minute) => `  ${describeMinute(moments, minute)}`),
  ];
}

/** Memory is that at its end, the rest the highest in it. */
function describeMinute(all: readonly Moment[], minute: number): string {
  const moments = all.filter(({ atMs }) => Math.floor(atMs / 60_000) === minute);
  const last = moments.at(-1);
  if (last === undefined) return `minute ${minute + 1}: no events`;
  const mb = (bytes: number): string => `${formatCount(bytes / 1e6)} MB`;
  const lag = Math.max(...moments.map(({ lagMs }) => lagMs)) / 1000;
  const journal = Math.max(...moments.map(({ waiting }) => waiting));
  return (
    `minute ${minute + 1}: lag at most ${lag.toFixed(1)} s, journal at most ${formatCount(journal)} rows, ` +
    `primary ${mb(last.ownRss)} RSS, all processes ${mb(last.allPss)} PSS`
  );
}
