/**
 * Ends following, once writes have stopped: waits for the last change, compares all rows with their documents, and marks the
 * stream. What it decides by is in the ledger and in both databases, so that any machine that reaches them can do it.
 *
 * asked ──→ no change is to come after T ──→ all up to T is merged ──→ compared ──→ still none came ──→ marked
 *   └── at any step: a change after T, a difference, Ctrl-C: following goes on as before
 */

import { setTimeout as delay } from 'node:timers/promises';
import {
  ExitCode,
  MigrationError,
  NoCollectionError,
  NothingToCopyError,
  UsageError,
} from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { formatPlural } from '../../common/format.ts';
import type { Config } from '../../config/config.ts';
import { invoke } from '../../config/invocation.ts';
import type { VerificationSummary } from '../../observe/events.ts';
import { isProven } from '../../observe/proof.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { hasLedger } from '../../postgres/ledger/ledger.ts';
import { isStreamLocked } from '../../postgres/ledger/run-lock.ts';
import { findRunById } from '../../postgres/ledger/runs.ts';
import {
  clearEndTime,
  findCutover,
  findStream,
  finishCutover,
  listRefusedSlots,
  listStreamCollections,
  readCutoverProgress,
  setEndTime,
  type CutoverProgress,
} from '../../postgres/ledger/streams.ts';
import type { Changes } from '../../source/changes.ts';
import { dateOf, secondsOf, type ClusterTime } from '../../source/cluster-time.ts';
import type { Database } from '../../source/database.ts';
import { requestOf } from './stream-request.ts';

export interface CutoverOptions {
  readonly config: Config;
  readonly session: Session;
  readonly database: Database;
  readonly signal: AbortSignal;
  readonly say: (message: string) => void;
  /** Compares everything. */
  readonly verify: () => Promise<{
    readonly summaries: readonly VerificationSummary[];
    readonly failures: readonly { readonly message: string }[];
  }>;
  /** Builds what MongoDB has got of indexes since the copy. */
  readonly finishTables: (runIds: readonly string[]) => Promise<void>;
}

/** How often the ledger is looked at. */
const lookEveryMs = 200;

/** With more to be read or merged than this, writes are to go on meanwhile. */
const maxLagSeconds = 10;

/** @returns whether it was cut over before @throws MigrationError saying why not, and following goes on */
export async function cutOver(options: CutoverOptions): Promise<'now' | 'before'> {
  const { session, signal, say, verify, finishTables } = options;
  const found = await findFollowed(options);
  if (found === 'before') return found;
  const { streamId, changes } = found;
  await requireReady(options, streamId, changes);
  const endTime = await changes.readTime();
  await session.run((client) => setEndTime(client, streamId, endTime));
  say(`waiting for all changes up to ${dateOf(endTime).toISOString()}`);
  try {
    await untilMerged(options, streamId, endTime, endTime);
    await reachFailpoint('cutover-before-verify');
    say('all of them are merged; comparing');
    const { summaries, failures } = await verify();
    const [failure] = failures;
    const isEqual = failure === undefined && summaries.every(isProven);
    // Nothing that was written meanwhile goes unnoticed.
    const provenTime = await changes.readTime();
    await untilMerged(options, streamId, provenTime, endTime);
    if (!isEqual) throw differ(failure?.message);
    // One may have come since it was asked for.
    await requireCopied(options, streamId);
    const runIds = summaries.map(({ runId }) => runId);
    await finishTables(runIds);
    await reachFailpoint('cutover-before-mark');
    signal.throwIfAborted();
    const account = {
      endTime: String(endTime),
      rows: Object.fromEntries(summaries.map(({ source, rows }) => [source, rows])),
    };
    if (!(await session.transaction((client) => finishCutover(client, streamId, account)))) {
      await requireQuiet(options, streamId, endTime);
      throw notReady('changes came in at the last moment', 'stop all writes, and cut over again.');
    }
    await reachFailpoint('cutover-after-mark');
    return 'now';
  } catch (error) {
    await session.run((client) => clearEndTime(client, streamId)).catch(() => undefined);
    throw error;
  }
}

/** The same report as before a cut-over; nothing is changed. @throws MigrationError where one could not cut over */
export async function checkCutover(options: CutoverOptions): Promise<'ready' | 'before'> {
  const found = await findFollowed(options);
  if (found === 'before') return found;
  await requireReady(options, found.streamId, found.changes);
  return 'ready';
}

async function findFollowed({
  config,
  session,
  database,
}: CutoverOptions): Promise<'before' | { readonly streamId: string; readonly changes: Changes }> {
  const request = requestOf(config, database);
  const { changes } = database;
  if (await session.run(hasLedger)) {
    const stream = await session.run((client) => findStream(client, request));
    if (stream !== null && changes !== undefined) return { streamId: stream.streamId, changes };
    if ((await session.run((client) => findCutover(client, request))) !== null) return 'before';
  }
  throw new UsageError(
    `nothing of ${request.sourceDb} (${request.selection}) is followed into the schema ${request.schema}`,
    {
      code: 'NOT_FOLLOWED',
      fix: `set MONGO_DB, MONGO_COLLECTION and POSTGRES_SCHEMA as they were for ${invoke('start', '--follow')}.`,
    },
  );
}

/** What can be known before writes are stopped for it. */
async function requireReady(options: CutoverOptions, streamId: string, changes: Changes): Promise<void> {
  const { session, config } = options;
  if (!(await session.run((client) => isStreamLocked(client, streamId)))) {
    throw notReady(
      'no process follows',
      `start it: ${invoke('start', '--follow')} goes on where it stopped.`,
    );
  }
  await requireCopied(options, streamId);
  const { tokenTime, refused, deadLettered } = await session.run((client) =>
    readCutoverProgress(client, streamId),
  );
  const lag = secondsOf(await changes.readTime()) - secondsOf(tokenTime);
  // An idle set writes a no-op every ten seconds, until which the position of its stream stays.
  if (lag > maxLagSeconds + 10) {
    throw notReady(`following is ${lag} s behind`, 'wait until it has caught up.');
  }
  requireNoLetters(config, refused, deadLettered);
}

async function requireCopied({ session, database, config }: CutoverOptions, streamId: string): Promise<void> {
  for (const { collection, runId, endedBy } of await session.run((client) =>
    listStreamCollections(client, streamId),
  )) {
    if (endedBy !== null) {
      throw notReady(`${collection} is followed no more: ${endedBy}`, 'start again with --restart.');
    }
    // Written to, and empty or gone again before it could be copied.
    if (runId === null && (await isWithoutDocuments(database, collection, config))) continue;
    const run = runId === null ? null : await session.run((client) => findRunById(client, runId));
    if (run?.isFinished !== true) {
      throw notReady(`${collection} is not copied yet`, 'wait until it is; npm run status tells.');
    }
  }
}

async function isWithoutDocuments(
  database: Database,
  collection: string,
  { filter }: Config,
): Promise<boolean> {
  try {
    await database.open(collection, filter);
    return false;
  } catch (error) {
    if (error instanceof NothingToCopyError || error instanceof NoCollectionError) return true;
    throw error;
  }
}

/** Waits until all changes up to `time` are read and merged, and none came after `endTime`. */
async function untilMerged(
  options: CutoverOptions,
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
    } else if (refused === 0 || (await areTriedAgain(options, streamId, refusedBefore))) {
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
    await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

/** A drain that was under way when all else was merged may have met what was in its way: it is the one after it that counts. */
const drainsToBelieve = 2;

/** What Postgres still refuses when there is nothing else to be merged is a dead letter, and not one that waits for another. */
async function areTriedAgain(
  { session }: CutoverOptions,
  streamId: string,
  before: ReadonlyMap<string, number> | null,
): Promise<boolean> {
  if (before === null) return false;
  const now = await session.run((client) => listRefusedSlots(client, streamId));
  return [...now].every(([name, drainNo]) => drainNo >= (before.get(name) ?? drainNo) + drainsToBelieve);
}

/** @throws MigrationError when something was written after the end */
async function requireQuiet(
  { session }: CutoverOptions,
  streamId: string,
  endTime: ClusterTime,
): Promise<CutoverProgress> {
  const progress = await session.run((client) => readCutoverProgress(client, streamId));
  const late = Object.entries(progress.late);
  if (late.length === 0) return progress;
  const since = dateOf(endTime).toISOString().slice(11, 19);
  const told = late.map(([collection, count]) => `${collection}, ${formatPlural(count, 'change')}`);
  throw notReady(
    `still written to: ${told.join('; ')} since ${since} UTC`,
    'stop all writes, and cut over again.',
  );
}

function requireNoLetters({ maxDeadLetters = 0 }: Config, refused: number, deadLettered: number): void {
  if (deadLettered <= maxDeadLetters) return;
  throw new MigrationError(
    ExitCode.deadLetters,
    `${formatPlural(deadLettered, 'document')} could not become rows (${refused} of them are tried again)`,
    {
      code: 'CUTOVER_DEAD_LETTERS',
      fix: 'npm run status names the reasons; or allow for as many with --max-dead-letters.',
    },
  );
}

function differ(failure: string | undefined): MigrationError {
  return new MigrationError(
    ExitCode.different,
    failure === undefined ? 'rows and documents differ' : `not all could be compared: ${failure}`,
    {
      code: 'CUTOVER_DIFFERENT',
      fix: `the comparison above names them; ${invoke('repair')} copies what differs. Following goes on.`,
    },
  );
}

function notReady(message: string, fix: string): MigrationError {
  return new MigrationError(ExitCode.notReady, `not cut over: ${message}`, {
    code: 'CUTOVER_NOT_READY',
    fix,
  });
}
