/**
 * Completes the comparison that was made while changes were followed, once writes have stopped and all is merged: compares the
 * noted documents. Checks by transaction ids and row counts that no other program has written to the tables. If this does not prove
 * that all rows are equal, everything is compared.
 */

import type { Config } from '../../../config/config.ts';
import type { VerificationSummary } from '../../../observe/verification-summary.ts';
import { nameDifference } from '../../verify/verification.ts';
import { qualifiedName } from '../../../postgres/connection/relations.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import { checkTables, describeCheck } from '../../../postgres/follow/table-check.ts';
import { dateDifferences } from '../../../postgres/follow/unverified.ts';
import { readProof } from '../../../postgres/ledger/streams/proofs.ts';
import { describeRun } from '../../../postgres/ledger/run-decision.ts';
import { lockComparison, unlockComparison } from '../../../postgres/ledger/run-lock.ts';
import { findRunById, type Run } from '../../../postgres/ledger/runs.ts';
import { countDeadLetters } from '../../../postgres/ledger/dead-letters.ts';
import { listStreamCollections } from '../../../postgres/ledger/streams/stream-collections.ts';
import type { FollowedCollection } from '../../../postgres/worker-settings.ts';
import type { Changes } from '../../../source/changes.ts';
import type { ClusterTime } from '../../../source/cluster-time.ts';
import type { Database } from '../../../source/database.ts';
import type { Source } from '../../../source/source.ts';
import type { Supervisor } from '../../../workers/supervisor/supervisor.ts';
import type { Audience } from '../../connections.ts';
import { filterOf } from '../../verify/copied-source.ts';
import { withWorkforce } from '../../verify/verify.ts';
import { Generation } from '../generations/generation.ts';
import { Proving, type Found } from '../generations/proving.ts';

export interface RestOptions extends Audience {
  readonly config: Config;
  readonly session: Session;
  readonly database: Database;
  readonly changes: Changes;
  readonly streamId: string;
  /** All changes up to this time are merged, and none came after it. */
  readonly endTime: ClusterTime;
  /** Stopped collections, which are not compared. */
  readonly leftOut: readonly string[];
}

/** The results for the collections of a stream. */
export interface Rest {
  /** Collections whose rows are equal, or found to differ. */
  readonly summaries: readonly VerificationSummary[];
  /** Collections that must be compared completely, as `database.collection`. */
  readonly unproven: readonly string[];
}

/** A collection whose documents were all compared while it was followed. */
interface Subject {
  readonly collection: string;
  readonly source: string;
  readonly run: Run;
  readonly place: FollowedCollection;
  readonly unverified: number;
}

export async function compareRest(options: RestOptions): Promise<Rest> {
  const { session, streamId } = options;
  await session.run((client) => lockComparison(client, streamId), 'long');
  try {
    return await compareAlone(options);
  } finally {
    await session.run((client) => unlockComparison(client, streamId));
  }
}

async function compareAlone(options: RestOptions): Promise<Rest> {
  const { config } = options;
  const unproven: string[] = [];
  const subjects: Subject[] = [];
  for (const { source, subject } of await listSubjects(options)) {
    if (subject === null || config.compareAll) unproven.push(source);
    else subjects.push(subject);
  }
  const work = async (supervisor: Supervisor | null): Promise<VerificationSummary[]> => {
    const summaries: VerificationSummary[] = [];
    for (const subject of subjects) {
      options.signal.throwIfAborted();
      const summary = await compareSubject(options, subject, supervisor);
      if (summary === null) unproven.push(subject.source);
      else summaries.push(summary);
    }
    return summaries;
  };
  const isNothingLeft = subjects.every(({ unverified }) => unverified === 0);
  const summaries = isNothingLeft
    ? await work(null)
    : await withWorkforce(config, options, async (workforce) => work(await workforce.supervise()));
  return { summaries, unproven };
}

/** Null for a collection that was not compared completely. */
async function listSubjects({
  session,
  streamId,
  database,
  leftOut,
}: RestOptions): Promise<{ readonly source: string; readonly subject: Subject | null }[]> {
  const found = [];
  const collections = await session.run((client) => listStreamCollections(client, streamId));
  for (const { collection, collectionNo, runId } of collections) {
    const run = runId === null ? null : await session.run((client) => findRunById(client, runId));
    // It was not copied.
    if (run === null || leftOut.includes(collection)) continue;
    const source = `${database.name}.${collection}`;
    // Drains need not be fenced, since rows are only compared.
    const place = { streamId, collectionNo, epoch: 0 };
    const { proof } = await session.run((client) => readProof(client, place));
    const isCompared = proof?.verifiedAt != null && run.isSameTable;
    const subject = isCompared ? { collection, source, run, place, unverified: proof.unverified } : null;
    found.push({ source, subject });
  }
  return found;
}

/** @returns null if it proves nothing, after a notice */
async function compareSubject(
  options: RestOptions,
  subject: Subject,
  supervisor: Supervisor | null,
): Promise<VerificationSummary | null> {
  const { session, database, endTime, onEvent } = options;
  const { source: name, collection, run, place } = subject;
  const { plan } = run.settings;
  const startedMs = performance.now();
  const giveUp = (why: string): null => {
    onEvent({ kind: 'notice', source: name, message: `${name}: ${why}; comparing all documents` });
    return null;
  };
  const source = await database.open(collection, filterOf(run), endTime);
  if (source.identity !== run.settings.collectionId) {
    return giveUp('it is not the collection that was copied');
  }
  const table = qualifiedName(plan);
  onEvent({
    ...{ kind: 'verifying', source: name, table, run: describeRun(run) },
    ...{ expectedDocuments: subject.unverified, workers: supervisor?.size ?? 0 },
  });
  const found = supervisor === null ? nothingFound : await compareNoted(options, subject, supervisor, source);
  const wrong = found.missing + found.different + found.extra;
  const { proof } = await session.run((client) => readProof(client, place));
  if (proof === null || proof.unverified > wrong) return giveUp('some documents could not be compared again');
  const [check, documents] = await Promise.all([
    session.transaction((client) => checkTables(client, place, plan), 'long'),
    source.lookup?.countDocuments(),
  ]);
  const why = describeCheck(check);
  if (check === null || why !== null) return giveUp(why ?? '');
  const letters = await session.run((client) => countDeadLetters(client, run.runId));
  const deadLetters = letters.reduce((sum, { count }) => sum + count, 0);
  // Differences are reported as such. They also change the row counts.
  if (wrong === 0 && documents !== check.rows + deadLetters) {
    return giveUp(
      `there are ${documents ?? 0} documents, ${check.rows} rows and ${deadLetters} dead letters`,
    );
  }
  const summary: VerificationSummary = {
    ...{ source: name, table, runId: run.runId, read: found.compared, compared: found.compared },
    ...{ equal: found.equal, missing: found.missing, different: found.different, changed: 0 },
    ...{ deadLettered: found.deadLettered, extra: found.extra, rows: check.rows, rowsOfOthers: 0 },
    ...{ extraChildRows: 0, isSample: false, isCountOff: false, bytes: found.bytes },
    verifiedBefore: Math.max(0, (documents ?? 0) - found.compared),
    differences: [
      ...found.differences.map(nameDifference),
      ...found.extraIds.map((id) => ({ kind: 'extra' as const, id: id ?? 'NULL', columns: [] })),
    ],
    totalMs: performance.now() - startedMs,
  };
  onEvent({ kind: 'verified', ...summary });
  return summary;
}

const nothingFound: Found = {
  ...{ compared: 0, equal: 0, missing: 0, different: 0, deadLettered: 0, extra: 0, bytes: 0 },
  extraIds: [],
  differences: [],
};

async function compareNoted(
  { config, session, changes, endTime, signal }: RestOptions,
  { collection, place, run }: Subject,
  supervisor: Supervisor,
  { identity }: Pick<Source, 'identity'>,
): Promise<Found> {
  const { runId, settings } = run;
  const proving = new Proving({
    ...{ config, supervisor, changes, place, runId, plan: settings.plan, filter: filterOf(run) },
    collection: { collection, identity },
  });
  try {
    // By now, all changes are merged that were made before these differences were found.
    await session.run((client) => dateDifferences(client, place, endTime));
    const generation = new Generation(session, place);
    for (let taken = await generation.next(); taken !== null; taken = await generation.next()) {
      signal.throwIfAborted();
      await proving.compareNoted(taken.ids, endTime);
      await proving.settle(endTime);
      await generation.settle(taken);
    }
    return proving.found;
  } finally {
    proving.end();
  }
}
