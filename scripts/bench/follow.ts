/**
 * `npm run bench -- --follow`: how fast changes are merged, beside the simple way: the driver's `watch()` with
 * `updateLookup`, and one upsert an event.
 *
 * - catching up: all changes are made while no process follows, and then merged; no writer takes processor time from it. In turns
 *   with
 *   and without notes of what was merged, which a cut-over needs so as not to compare everything;
 * - in step: a writer makes changes at a rate, and the lag, the journal and the memory are measured.
 */

import { MongoClient, type Collection } from 'mongodb';
import { formatCount } from '../../src/common/format.ts';
import type { FollowingEvent } from '../../src/observe/follow-events.ts';
import { seedDocuments } from './documents.ts';
import { followNaively } from './follow-naive.ts';
import type { FollowSettings } from './follow-settings.ts';
import { runFollowing, type Followed } from './follow-process.ts';
import { keepStep } from './follow-step.ts';
import { Writer } from './follow-writer.ts';
import { databaseName, tableName } from './names.ts';
import { clearTable, type Place } from './place.ts';
import { median } from './results.ts';
import { runVerify } from './tool.ts';

/** With it nothing is compared while following, and nothing noted. */
const withoutNotes = { VERIFY_SHARE: '0%' };

/** @returns a table of what was measured */
export async function compareFollowing(place: Place, settings: FollowSettings): Promise<string> {
  const { amount, changes, workers, rounds, seconds } = settings;
  const client = await MongoClient.connect(place.mongoUrl);
  const lines: string[] = [];
  try {
    const collection = client.db(databaseName).collection(tableName);
    const noted: Followed[] = [];
    const bare: Followed[] = [];
    const naive: number[] = [];
    for (let round = 0; round < rounds; round++) {
      noted.push((await catchUp(place, collection, settings, true)).followed);
      const last = await catchUp(place, collection, settings, false);
      bare.push(last.followed);
      const few = Math.ceil(changes / 10);
      naive.push(await followNaively(place, collection, () => last.writer.write(few), few));
      console.log(`watch() and upserts: ${formatCount(naive.at(-1) ?? 0)} changes/s`);
    }
    if (rounds > 0) {
      lines.push(
        `catching up with ${formatCount(changes)} changes of ${formatCount(amount)} users, ${workers} workers, median of ${rounds}:`,
        `  mongo2pg, noting what is merged: ${describe(noted, changes)}`,
        `  mongo2pg, ${withoutNotes.VERIFY_SHARE} for comparing: ${describe(bare, changes)}`,
        `  watch() with updateLookup, an upsert each: ${formatCount(median(naive))} changes/s`,
      );
    }
    if (seconds > 0) lines.push(...(await keepStep(place, collection, settings)));
  } finally {
    await client.close();
  }
  return lines.join('\n');
}

/** Changes are made while no process follows. */
async function catchUp(
  place: Place,
  collection: Collection,
  { amount, changes, workers }: FollowSettings,
  isNoted: boolean,
): Promise<{ readonly followed: Followed; readonly writer: Writer }> {
  await seedDocuments(place.mongoUrl, 'users', 0, amount);
  await clearTable(place);
  const writer = await Writer.of(collection);
  // Merges are noted from the moment on at which the comparison of all documents begins.
  const env = isNoted ? { VERIFY_SHARE: '100%' } : withoutNotes;
  await runFollowing(place, { workers, env, isDone: (event) => !isNoted || isCompared(event) });
  await writer.write(changes);
  const followed = await runFollowing(place, {
    workers,
    env: isNoted ? {} : withoutNotes,
    isDone: ({ changesRead, waiting }) => changesRead >= changes && waiting === 0,
  });
  await runVerify(place, workers, await collection.countDocuments());
  const how = isNoted ? 'noting' : 'not noting';
  console.log(`catching up, ${how}: ${describe([followed], changes)}, table equal`);
  return { followed, writer };
}

function isCompared({ collections }: FollowingEvent): boolean {
  return collections.length > 0 && collections.every(({ proof }) => proof?.verifiedAt != null);
}

function describe(runs: readonly Followed[], changes: number): string {
  const rate = median(runs.map(({ ms }) => (changes * 1000) / ms));
  const seconds = (of: (run: Followed) => number | null): string =>
    (median(runs.map((run) => of(run) ?? 0)) / 1000).toFixed(1);
  return (
    `${formatCount(rate)} changes/s (CPU: own ${seconds(({ ownCpuMs }) => ownCpuMs)} s,` +
    ` PostgreSQL ${seconds(({ postgresCpuMs }) => postgresCpuMs)} s;` +
    ` memory ${Math.max(...runs.map(({ pssBytes }) => pssBytes / 1e6)).toFixed(0)} MB PSS)`
  );
}
