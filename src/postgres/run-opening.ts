/** Opens a run in the ledger: begins a new one with its table, or takes over one that was left unfinished. */

import type pg from 'pg';
import type { IfExists } from '../config.ts';
import { countRows } from './ddl.ts';
import { createLedger } from './ledger.ts';
import { readGaps, readNextBatch, replaceRanges, type Range } from './ranges.ts';
import {
  insertRun,
  readTotals,
  replaceRuns,
  takeOverRun,
  type Run,
  type RunSettings,
  type RunTotals,
} from './runs.ts';
import type { Session } from './session.ts';
import { prepareTarget } from './target.ts';

/** A run, ready to be loaded. */
export interface OpenRun {
  readonly runId: string;
  readonly epoch: number;
  readonly settings: RunSettings;
  readonly isOwnTable: boolean;
  readonly rowsBefore: number;
  /** Every document is committed, and there is nothing to be read. */
  readonly isLoaded: boolean;
  /** What is to be read. */
  readonly ranges: readonly Range[];
  /** The number of the next batch. */
  readonly nextBatch: number;
  /** What earlier processes have committed. */
  readonly committed: RunTotals;
}

const nothing: RunTotals = { documents: 0, copied: 0, deadLettered: 0, bytes: 0 };

/** In one transaction, so that there is never a table of ours of which the ledger does not know. */
export async function beginRun(
  session: Session,
  settings: RunSettings,
  ifExists: IfExists,
  jobId: string | null,
): Promise<OpenRun> {
  return await session.transaction(async (client) => {
    const { plan } = settings;
    await createLedger(client);
    const isOwnTable = await prepareTarget(client, plan, ifExists);
    await replaceRuns(client, plan, ifExists === 'append' ? 'unfinished' : 'all');
    const rowsBefore = await countRows(client, plan);
    const runId = await insertRun(client, settings, { jobId, isOwnTable, rowsBefore });
    const ranges = [{ rangeNo: 1, afterId: null, untilId: null }];
    const start = { epoch: 1, isLoaded: false, nextBatch: 1, committed: nothing };
    return { runId, settings, isOwnTable, rowsBefore, ranges, ...start };
  }, 'long');
}

export async function continueRun(session: Session, run: Run): Promise<OpenRun> {
  const { runId, settings, isOwnTable, rowsBefore, isLoaded } = run;
  return await session.transaction(async (client) => {
    await endStrays(client, runId);
    const epoch = await takeOverRun(client, runId);
    const ranges = isLoaded
      ? []
      : await replaceRanges(client, runId, await readGaps(client, runId, new Map()));
    const committed = await readTotals(client, runId);
    const nextBatch = await readNextBatch(client, runId);
    return { runId, epoch, settings, isOwnTable, rowsBefore, isLoaded, ranges, nextBatch, committed };
  });
}

/** How long workers of a primary that died may take to commit what they have under way. */
const straysGrace = '10s';

/** Ends sessions that hold on to the run although its primary is gone: their client may be cut off, and not know. */
async function endStrays(client: pg.Client, runId: string): Promise<void> {
  await client.query(`SAVEPOINT strays`);
  await client.query(`SET LOCAL lock_timeout = '${straysGrace}'`);
  try {
    await client.query('SELECT FROM mongo2pg.runs WHERE run_id = $1 FOR UPDATE', [runId]);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === '55P03')) throw error;
    await client.query('ROLLBACK TO SAVEPOINT strays');
    await client.query(
      `SELECT pg_terminate_backend(a.pid)
         FROM pg_stat_activity a JOIN pg_locks l USING (pid)
        WHERE a.application_name = 'mongo2pg worker' AND a.state <> 'idle'
          AND l.relation = 'mongo2pg.runs'::regclass AND l.mode = 'RowShareLock'
          AND a.xact_start < now() - interval '${straysGrace}'`,
    );
  }
  await client.query('SET LOCAL lock_timeout = 0');
}
