/** Whether a cutover can begin: everything is copied and nearly merged, and stopped collections are left out. */

import {
  type MigrationError,
  NoCollectionError,
  NothingToCopyError,
  UsageError,
} from '../../../common/errors.ts';
import { formatDuration } from '../../../common/format.ts';
import { isChosen, listUnmatched } from '../../../config/collection-choice.ts';
import type { Config } from '../../../config/config.ts';
import { invoke, quoteWord } from '../../../config/invocation.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import { readCutoverProgress } from '../../../postgres/ledger/streams/cutover.ts';
import { describeUnfinished, listUnfinished } from '../../../postgres/ledger/promotions.ts';
import { isStreamLocked } from '../../../postgres/ledger/run-lock.ts';
import { findRunById, type Run } from '../../../postgres/ledger/runs.ts';
import { listStopped, type StoppedCollection } from '../../../postgres/ledger/streams/stopped-collections.ts';
import { maxLagMs } from '../../../postgres/ledger/streams/stream-status.ts';
import { listStreamCollections } from '../../../postgres/ledger/streams/stream-collections.ts';
import type { Changes } from '../../../source/changes.ts';
import { differenceMs } from '../../../source/cluster-time.ts';
import type { Database } from '../../../source/database.ts';
import { filterOf } from '../../verify/copied-source.ts';
import { notReady, requireNoLetters } from './refusals.ts';

export interface ReadinessOptions {
  readonly config: Config;
  readonly session: Session;
  readonly database: Database;
}

/** Collections of a stream that are not cut over. */
export interface Apart {
  /** Stopped collections that the user leaves out. */
  readonly leftOut: readonly StoppedCollection[];
  /** Collections of which nothing was copied, nor would be. */
  readonly uncopied: readonly string[];
}

/** An idle replica set writes a no-op at this interval. Until then the position of a stream does not advance. */
const noOpEveryMs = 10_000;

/** Checks that are possible before writes are stopped. */
export async function requireReady(
  options: ReadinessOptions,
  streamId: string,
  changes: Changes,
): Promise<Apart> {
  const { session, config } = options;
  if (!(await session.run((client) => isStreamLocked(client, streamId)))) {
    throw notReady(
      'no process follows',
      `start it: ${invoke('start', '--follow')} resumes where it stopped.`,
    );
  }
  const apart = await requireCopied(options, streamId);
  const { tokenTime, refused, deadLettered } = await session.run((client) =>
    readCutoverProgress(client, streamId),
  );
  const lagMs = differenceMs(tokenTime, await changes.readTime());
  if (lagMs > maxLagMs + noOpEveryMs) {
    throw notReady(`following is ${formatDuration(lagMs)} behind`, 'wait until it has caught up.');
  }
  requireNoLetters(config, refused, deadLettered);
  return apart;
}

export async function requireCopied(
  { session, database, config }: ReadinessOptions,
  streamId: string,
): Promise<Apart> {
  const stopped = await session.run((client) => listStopped(client, streamId));
  const leftOut = chooseLeftOut(config.leaveOut, stopped);
  const names = new Set(leftOut.map(({ collection }) => collection));
  const inTheWay = stopped.find(({ collection }) => !names.has(collection));
  if (inTheWay !== undefined) {
    const { collection, reason } = inTheWay;
    throw notReady(
      `${collection} has stopped: ${reason}`,
      `copy it again: ${invoke('start', `--follow --restart-only ${collection}`)}; or cut over without it: --leave-out ${collection}.`,
    );
  }
  const collections = await session.run((client) => listStreamCollections(client, streamId));
  await requireAllPromoted(
    session,
    collections.flatMap(({ collection, runId }) => (runId === null || names.has(collection) ? [] : [runId])),
  );
  const uncopied: string[] = [];
  let copied: Run | null = null;
  for (const { collection, runId } of collections) {
    if (names.has(collection)) continue;
    const run = runId === null ? null : await session.run((client) => findRunById(client, runId));
    if (run?.isFinished === true) copied = run;
    else if (run === null) uncopied.push(collection);
    else throw notCopied(collection);
  }
  // All collections of a stream are copied with the same filter.
  const filter = copied === null ? undefined : filterOf(copied);
  for (const collection of uncopied) {
    if (!(await hasNothingToCopy(database, collection, filter))) throw notCopied(collection);
  }
  return { leftOut, uncopied };
}

/** While a promotion is unfinished, some rows have the field in the column and others do not, so that they cannot be compared. */
async function requireAllPromoted(session: Session, runIds: readonly string[]): Promise<void> {
  const [unfinished] = await session.run((client) => listUnfinished(client, runIds));
  if (unfinished === undefined) return;
  const { table, field } = unfinished;
  throw notReady(
    describeUnfinished(unfinished),
    `stop the process that follows, finish it: ${invoke('promote', `${quoteWord(table)} ${quoteWord(field)}`)}, and follow again.`,
  );
}

/** Only stopped collections can be left out: a followed one would be cut over without a comparison. */
function chooseLeftOut(
  leaveOut: string,
  stopped: readonly StoppedCollection[],
): readonly StoppedCollection[] {
  const names = stopped.map(({ collection }) => collection);
  const unmatched = listUnmatched(leaveOut, names);
  if (unmatched.length > 0) {
    throw new UsageError(`LEAVE_OUT names ${unmatched.join(', ')}, which is not stopped`, {
      code: 'LEAVE_OUT_FOLLOWED',
      fix: names.length === 0 ? 'no collection has: leave it out.' : `these have: ${names.join(', ')}.`,
    });
  }
  return stopped.filter(({ collection }) => isChosen(collection, leaveOut, ''));
}

/** Whether nothing of it would be copied: it was dropped or is empty, or no document matches the filter. */
async function hasNothingToCopy(
  database: Database,
  collection: string,
  filter: Uint8Array | undefined,
): Promise<boolean> {
  try {
    const source = await database.open(collection, filter);
    return (await source.sample(1)).documents.length === 0;
  } catch (error) {
    if (error instanceof NothingToCopyError || error instanceof NoCollectionError) return true;
    throw error;
  }
}

function notCopied(collection: string): MigrationError {
  return notReady(
    `${collection} is not copied yet`,
    'wait until it is copied; npm run status shows the progress.',
  );
}
