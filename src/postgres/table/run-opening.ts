/** Opens a run in the ledger: begins a new one with its table, or takes over one that was left unfinished. */

import type { IfExists } from '../../config/config.ts';
import type { Interval, Range } from '../../source/page.ts';
import { assignRun } from '../ledger/jobs.ts';
import { createLedger } from '../ledger/ledger.ts';
import { takeOverRun, type Lead } from '../ledger/lead.ts';
import { openRanges, readGaps, replaceRanges } from '../ledger/ranges.ts';
import { findRun, insertRun, readTotals, replaceRuns, type Run, type RunSettings } from '../ledger/runs.ts';
import type { Session } from '../connection/session.ts';
import { assignStreamRun } from '../ledger/streams.ts';
import { endOrphanedSessions } from '../connection/orphaned-sessions.ts';
import { prepareTarget } from './target.ts';
import type { RunTotals } from '../ledger/run-totals.ts';
import { countRows } from '../connection/relations.ts';

/** A run, ready to be loaded. */
export interface OpenRun extends Lead {
  readonly settings: RunSettings;
  readonly isOwnTable: boolean;
  readonly rowsBefore: number;
  readonly childRowsBefore: number;
  /** Every document is committed, and there is nothing to be read. */
  readonly isLoaded: boolean;
  /** What is to be read. */
  readonly ranges: readonly Range[];
  /** What earlier processes have committed. */
  readonly committed: RunTotals;
}

const nothing: RunTotals = { documentCount: 0, copied: 0, deadLettered: 0, bytes: 0, childRows: 0 };

/**
 * In one transaction, so that there is never a table of ours of which the ledger does not know.
 * @param intervals what is to be read; together all of the collection
 */
export async function beginRun(
  session: Session,
  settings: RunSettings,
  ifExists: IfExists,
  jobId: string | null,
  intervals: readonly Interval[] = [{ after: null, until: null }],
  streamId: string | null = null,
): Promise<OpenRun> {
  return await session.transaction(async (client) => {
    const { plan } = settings;
    await createLedger(client);
    // Before the table: workers of such a run lock first its range and then the table, as this does.
    const former = await findRun(client, plan);
    if (former !== null) await endOrphanedSessions(client, former.runId);
    await replaceRuns(client, plan, ifExists === 'append' ? 'unfinished' : 'all');
    const isOwnTable = await prepareTarget(client, plan, ifExists);
    const rowsBefore = await countRows(client, plan);
    let childRowsBefore = 0;
    for (const child of plan.children ?? []) childRowsBefore += await countRows(client, child.plan);
    const before = { isOwnTable, rowsBefore, childRowsBefore };
    const runId = await insertRun(client, settings, { jobId, ...before });
    const ranges = await openRanges(client, runId, intervals);
    if (jobId !== null) await assignRun(client, jobId, settings.source, runId);
    if (streamId !== null) await assignStreamRun(client, streamId, collectionOf(settings.source), runId);
    const start = { epoch: 1, isLoaded: false, committed: nothing };
    return { runId, settings, ...before, ranges, ...start };
  }, 'long');
}

export async function continueRun(session: Session, run: Run): Promise<OpenRun> {
  const { runId, settings, isOwnTable, rowsBefore, childRowsBefore, isLoaded } = run;
  const before = { isOwnTable, rowsBefore, childRowsBefore };
  return await session.transaction(async (client) => {
    await endOrphanedSessions(client, runId);
    const epoch = await takeOverRun(client, runId);
    const ranges = isLoaded ? [] : await replaceRanges(client, runId, await readGaps(client, runId, false));
    const committed = await readTotals(client, runId);
    return { runId, epoch, settings, ...before, isLoaded, ranges, committed };
  }, 'long');
}

/** @param source `database.collection`; a database has no dot in its name */
function collectionOf(source: string): string {
  return source.slice(source.indexOf('.') + 1);
}
