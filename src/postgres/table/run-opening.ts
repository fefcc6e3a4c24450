/** Opens a run in the ledger: begins a new one with its table, or takes over an unfinished one. */

import type pg from 'pg';
import { collectionOf } from '../../common/namespace.ts';
import type { IfExists } from '../../config/config.ts';
import { options } from '../../config/options.ts';
import type { Interval, Range } from '../../source/page.ts';
import type { Plan } from '../../transcode/plan.ts';
import { assignRun } from '../ledger/jobs.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { commitSynchronously } from '../connection/synchronous-commit.ts';
import { createLedger, prepareLedger } from '../ledger/ledger.ts';
import { takeOverRun, type Leadership } from '../ledger/leadership.ts';
import { openRanges, readGaps, replaceRanges } from '../ledger/ranges.ts';
import { continueHostRanges } from '../ledger/hosts/host-ranges.ts';
import { queueOfRun, type HostWork } from '../ledger/hosts/host-work.ts';
import { findRun, insertRun, readTotals, replaceRuns, type Run, type RunSettings } from '../ledger/runs.ts';
import type { Session } from '../connection/session.ts';
import { assignStreamRun } from '../ledger/streams/stream-collections.ts';
import { endOrphanedSessions } from '../connection/orphaned-sessions.ts';
import { tablesOf } from './ddl.ts';
import { prepareTarget } from './prepare-target.ts';
import type { RunTotals } from '../ledger/run-totals.ts';
import { countRows } from '../connection/relations.ts';

/** A run, ready to be loaded. */
export interface OpenRun extends Leadership {
  readonly settings: RunSettings;
  readonly isOwnTable: boolean;
  readonly rowsBefore: number;
  readonly childRowsBefore: number;
  /** Every document is committed; nothing is left to read. */
  readonly isLoaded: boolean;
  /** Ranges to read; empty with several hosts, which take them from the queue. */
  readonly ranges: readonly Range[];
  /** Counts committed by earlier processes. */
  readonly committed: RunTotals;
}

const nothing: RunTotals = {
  ...{ documentCount: 0, copied: 0, deadLettered: 0, dropped: 0, rows: 0, bytes: 0, childRows: 0 },
};

/**
 * In one transaction, so that the ledger knows every table that this tool creates.
 * @param intervals to read; together they cover the whole collection
 * @param hosts set if several hosts copy it
 */
export async function beginRun(
  session: Session,
  settings: RunSettings,
  ifExists: IfExists,
  jobId: string | null,
  intervals: readonly Interval[] = [{ after: null, until: null }],
  streamId: string | null = null,
  hosts?: HostWork,
): Promise<OpenRun> {
  await prepareLedger(session);
  return await session.transaction(async (client) => {
    const { plan } = settings;
    await inOneTrip(
      client,
      // A crash that takes back batches must not take back the run, whatever the default of the database is.
      commitSynchronously,
      // Also keeps others from opening a run, a job or a stream at the same time.
      createLedger,
    );
    // Before the table is locked: workers of such a run also lock the range first and then the table.
    const former = await findRun(client, plan);
    if (former !== null) await endOrphanedSessions(client, former.runId);
    await replaceRuns(client, plan, ifExists === 'append' ? 'unfinished' : 'all');
    const { isOwn: isOwnTable, isNew } = await prepareTarget(
      client,
      plan,
      ifExists,
      settings.choices[options.distribute.env] !== undefined,
    );
    const before = { isOwnTable, ...(isNew ? noRows : await countAllRows(client, plan)) };
    const runId = await insertRun(client, settings, { jobId, ...before });
    const ranges = await openRanges(client, runId, intervals);
    await hosts?.jobs.enqueue(client, queueOfRun(runId), ranges);
    if (jobId !== null) await assignRun(client, jobId, settings.source, runId);
    if (streamId !== null) await assignStreamRun(client, streamId, collectionOf(settings.source), runId);
    const start = { epoch: 1, isLoaded: false, committed: nothing };
    return { runId, settings, ...before, ranges, ...start };
  }, 'long');
}

const noRows = { rowsBefore: 0, childRowsBefore: 0 };

async function countAllRows(client: pg.Client, plan: Plan): Promise<typeof noRows> {
  const rowsBefore = await countRows(client, plan);
  let childRowsBefore = 0;
  for (const child of tablesOf(plan).slice(1)) childRowsBefore += await countRows(client, child);
  return { rowsBefore, childRowsBefore };
}

export async function continueRun(session: Session, run: Run, hosts?: HostWork): Promise<OpenRun> {
  const { runId, settings, isOwnTable, rowsBefore, childRowsBefore, isLoaded } = run;
  const before = { isOwnTable, rowsBefore, childRowsBefore };
  return await session.transaction(async (client) => {
    if (hosts !== undefined) {
      // Ranges of other live hosts are kept.
      if (!isLoaded) await continueHostRanges(client, hosts.jobs, runId);
      const epoch = await takeOverRun(client, runId);
      const committed = await readTotals(client, runId);
      return { runId, epoch, settings, ...before, isLoaded, ranges: [], committed };
    }
    await endOrphanedSessions(client, runId);
    const epoch = await takeOverRun(client, runId);
    const ranges = isLoaded ? [] : await replaceRanges(client, runId, await readGaps(client, runId, false));
    const committed = await readTotals(client, runId);
    return { runId, epoch, settings, ...before, isLoaded, ranges, committed };
  }, 'long');
}
