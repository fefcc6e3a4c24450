/** Whether a cut-over can begin: all is copied and nearly merged, and what has stopped is left out. */

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
import { filterOf } from '../../verify/verify.ts';
import { notReady, requireNoLetters } from './refusals.ts';

export interface ReadinessOptions {
  readonly config: Config;
  readonly session: Session;
  readonly database: Database;
}

/** Which collections of a stream are not cut over. */
export interface Apart {
  /** Those that have stopped, and are left out as asked for. */
  readonly leftOut: readonly StoppedCollection[];
  /** Those that nothing was copied of, nor would be. */
  readonly uncopied: readonly string[];
}

/** An idle set writes a no-op so often, until which the position of its stream stays. */
const noOpEveryMs = 10_000;

/** What can be known before writes are stopped for it. */
export async function requireReady(
  options: ReadinessOptions,
  streamId: string,
  changes: Changes,
): Promise<Apart> {
  const { session, config } = options;
  if (!(await session.run((client) => isStreamLocked(client, streamId)))) {
    throw notReady(
      'no process follows',
      `start it: ${invoke('start', '--follow')} goes on where it stopped.`,
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
  // All of a stream are copied by the same filter.
  const filter = copied === null ? undefined : filterOf(copied);
  for (const collection of uncopied) {
    if (!(await hasNothingToCopy(database, collection, filter))) throw notCopied(collection);
  }
  return { leftOut, uncopied };
}

/** Rows of which some have the field in a column, and some do not, are equal to no documents. */
async function requireAllPromoted(session: Session, runIds: readonly string[]): Promise<void> {
  const [unfinished] = await session.run((client) => listUnfinished(client, runIds));
  if (unfinished === undefined) return;
  const { table, field } = unfinished;
  throw notReady(
    describeUnfinished(unfinished),
    `stop the process that follows, finish it: ${invoke('promote', `${quoteWord(table)} ${quoteWord(field)}`)}, and follow again.`,
  );
}

/** Only what has stopped can be left out: of what is followed nothing would be proven. */
function chooseLeftOut(
  leaveOut: string,
  stopped: readonly StoppedCollection[],
): readonly StoppedCollection[] {
  const names = stopped.map(({ collection }) => collection);
  const unmatched = listUnmatched(leaveOut, names);
  if (unmatched.length > 0) {
    throw new UsageError(`LEAVE_OUT names ${unmatched.join(', ')}, which has not stopped`, {
      code: 'LEAVE_OUT_FOLLOWED',
      fix: names.length === 0 ? 'no collection has: leave it out.' : `these have: ${names.join(', ')}.`,
    });
  }
  return stopped.filter(({ collection }) => isChosen(collection, leaveOut, ''));
}

/** Nothing of it would be copied: it is gone or empty, or its documents do not match the filter. */
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
  return notReady(`${collection} is not copied yet`, 'wait until it is; npm run status tells.');
}
