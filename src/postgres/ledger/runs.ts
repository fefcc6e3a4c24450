/** The ledger's rows of runs: one for each migration of a collection into a table. */

import { createHash } from 'node:crypto';
import type pg from 'pg';
import { synchronousPart } from '../connection/synchronous-commit.ts';
import { SupersededError, type Leadership } from './leadership.ts';
import type { RunTotals } from './run-totals.ts';
import { isDoneCondition } from './phases.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { Plan } from '../../transcode/plan.ts';

/** Settings with which a run was begun. It is resumed only with the same. Plain data, stored as jsonb. */
export interface RunSettings {
  /** `database.collection`. */
  readonly source: string;
  /** MongoDB's UUID of the collection, if the server has UUIDs. A collection that is dropped and recreated gets another. */
  readonly collectionId: string | null;
  /** The settings that decide what is copied and how, as text, by variable name. */
  readonly choices: Readonly<Record<string, string>>;
  readonly plan: Plan;
}

export interface Run {
  readonly runId: string;
  /** The job that the run is part of; null when a single collection is copied. */
  readonly jobId: string | null;
  readonly settings: RunSettings;
  readonly isOwnTable: boolean;
  /** Whether the table of this name is still the one that the run loaded. */
  readonly isSameTable: boolean;
  /** Rows that were in the table before the run. */
  readonly rowsBefore: number;
  /** And in its child tables. */
  readonly childRowsBefore: number;
  readonly epoch: number;
  readonly startedAt: Date;
  readonly isLoaded: boolean;
  readonly isFinished: boolean;
}

type TableName = Pick<Plan, 'schema' | 'table'>;

/** The latest run into the table; an unfinished one takes precedence. */
export async function findRun(client: pg.Client, table: TableName): Promise<Run | null> {
  return (await listRuns(client, table))[0] ?? null;
}

/** The runs whose rows are in the table, an unfinished one first, then the latest. */
export async function listRuns(client: pg.Client, { schema, table }: TableName): Promise<Run[]> {
  return await selectRuns(client, 'table_schema = $1 AND table_name = $2', [schema, table]);
}

/** @returns null if it was replaced */
export async function findRunById(client: pg.Client, runId: string): Promise<Run | null> {
  return (await selectRuns(client, 'run_id = $1', [runId]))[0] ?? null;
}

/** The runs that copied a collection, into any table, the latest first. */
export async function listRunsOfSource(client: pg.Client, source: string): Promise<Run[]> {
  return await selectRuns(client, 'source = $1', [source]);
}

/** The runs whose rows are in tables of a schema. */
export async function listRunsOfSchema(client: pg.Client, schema: string): Promise<Run[]> {
  return await selectRuns(client, 'table_schema = $1', [schema]);
}

/** The unfinished run that copies a collection into a schema. */
export async function findUnfinishedRun(
  client: pg.Client,
  source: string,
  schema: string,
): Promise<Run | null> {
  const runs = await listRunsOfSource(client, source);
  return runs.find(({ isFinished, settings }) => !isFinished && settings.plan.schema === schema) ?? null;
}

/** The collections of a database that were copied into a schema, and whose tables still exist. */
export async function listCopied(client: pg.Client, database: string, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ collection: string }>(
    `SELECT DISTINCT substr(source, length($1) + 2) AS collection FROM mongo2pg.runs
      WHERE starts_with(source, $1 || '.') AND table_schema = $2 AND replaced_at IS NULL
        AND table_oid = to_regclass(format('%I.%I', table_schema, table_name)) ORDER BY 1`,
    [database, schema],
  );
  return rows.map(({ collection }) => collection);
}

/** Columns of type bigint, which pg returns as text. */
type Counts = 'rowsBefore' | 'childRowsBefore';

async function selectRuns(client: pg.Client, condition: string, values: readonly string[]): Promise<Run[]> {
  const { rows } = await client.query<Omit<Run, Counts> & Record<Counts, string>>(
    `SELECT run_id AS "runId", job_id AS "jobId", settings, is_own_table AS "isOwnTable",
            table_oid = coalesce(to_regclass(format('%I.%I', table_schema, table_name)), 0) AS "isSameTable",
            rows_before AS "rowsBefore", child_rows_before AS "childRowsBefore", epoch,
            started_at AS "startedAt", ${isDoneCondition('copy')} AS "isLoaded", finished_at IS NOT NULL AS "isFinished"
       FROM mongo2pg.runs r
      WHERE ${condition} AND replaced_at IS NULL
      ORDER BY finished_at IS NOT NULL, run_id DESC`,
    [...values],
  );
  return rows.map((row) => ({
    ...row,
    rowsBefore: Number(row.rowsBefore),
    childRowsBefore: Number(row.childRowsBefore),
  }));
}

/** Inserts a run, in its first phase and without ranges; returns its id. */
export async function insertRun(
  client: pg.Client,
  settings: RunSettings,
  { jobId, isOwnTable, rowsBefore, childRowsBefore }: Pick<Run, 'jobId' | 'isOwnTable' | Counts>,
): Promise<string> {
  const { source, plan } = settings;
  const { rows } = await client.query<{ run_id: string }>(
    `WITH run AS (
       INSERT INTO mongo2pg.runs
         (source, table_schema, table_name, table_oid, settings, fingerprint, is_own_table, rows_before, job_id,
          child_rows_before)
       VALUES ($1, $2, $3, format('%I.%I', $2::text, $3::text)::regclass, $4, $5, $6, $7, $8, $9)
       RETURNING run_id)
     INSERT INTO mongo2pg.phases (run_id, phase) SELECT run_id, 'copy' FROM run RETURNING run_id`,
    [
      source,
      plan.schema,
      plan.table,
      JSON.stringify(settings),
      fingerprintOf(settings),
      isOwnTable,
      rowsBefore,
      jobId,
      childRowsBefore,
    ],
  );
  const runId = rows[0]?.run_id;
  if (runId === undefined) throw new Error('INSERT … RETURNING gave no row');
  return runId;
}

/**
 * Marks earlier runs into the table as replaced: all if its rows are removed, or those that cannot be finished any more. A process
 * that still leads one is superseded, and its workers cannot commit. Waits for their batches in flight.
 */
export async function replaceRuns(
  client: pg.Client,
  { schema, table }: TableName,
  which: 'all' | 'unfinished',
): Promise<void> {
  await client.query(
    `WITH replaced AS (
       UPDATE mongo2pg.runs SET replaced_at = now(), epoch = epoch + 1
        WHERE table_schema = $1 AND table_name = $2 AND replaced_at IS NULL AND ($3 OR finished_at IS NULL)
        RETURNING run_id),
     locked AS (
       SELECT run_id, range_no FROM mongo2pg.ranges
        WHERE run_id IN (SELECT run_id FROM replaced) AND closed_at IS NULL FOR UPDATE)
     UPDATE mongo2pg.ranges r SET epoch = epoch + 1
       FROM locked WHERE r.run_id = locked.run_id AND r.range_no = locked.range_no`,
    [schema, table, which === 'all'],
  );
}

/** Whether a run of this tool created the table, so that its rows can be copied again from the source. */
export async function isTableOfARun(client: pg.Client, { schema, table }: TableName): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM mongo2pg.runs
      WHERE is_own_table AND table_oid = to_regclass(format('%I.%I', $1::text, $2::text)) LIMIT 1`,
    [schema, table],
  );
  return (rowCount ?? 0) > 0;
}

/**
 * A synchronous commit. It flushes everything that the workers have committed asynchronously; what a crash lost before is missing
 * from the ledger.
 */
export async function flushCommits(client: pg.Client, leadership: Leadership): Promise<void> {
  const { rowCount } = await client.query(
    `WITH ${synchronousPart}
     UPDATE mongo2pg.runs SET epoch = epoch FROM synchronous WHERE run_id = $1 AND epoch = $2`,
    [leadership.runId, leadership.epoch],
  );
  if (rowCount === 0) throw new SupersededError();
}

/** For later rows of a run whose table was changed. */
export async function replacePlan(client: pg.Client, runId: string, plan: Plan): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.runs SET settings = jsonb_set(settings, '{plan}', $2) WHERE run_id = $1`,
    [runId, JSON.stringify(plan)],
  );
}

export async function readTotals(client: pg.Client, runId: string): Promise<RunTotals> {
  const { rows } = await client.query<Record<keyof RunTotals, string>>(
    `SELECT coalesce(sum(documents), 0) AS "documentCount", coalesce(sum(copied), 0) AS copied,
            coalesce(sum(dead_lettered), 0) AS "deadLettered", coalesce(sum(dropped), 0) AS dropped,
            coalesce(sum(copied + added_rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes,
            coalesce(sum(child_rows), 0) AS "childRows"
       FROM mongo2pg.batches WHERE run_id = $1`,
    [runId],
  );
  const row = rows[0];
  return {
    documentCount: Number(row?.documentCount),
    copied: Number(row?.copied),
    deadLettered: Number(row?.deadLettered),
    dropped: Number(row?.dropped),
    rows: Number(row?.rows),
    bytes: Number(row?.bytes),
    childRows: Number(row?.childRows),
  };
}

/** What went into the extra column, the most frequent first. */
export async function readExtra(client: pg.Client, runId: string): Promise<ExtraCount[]> {
  const { rows } = await client.query<Omit<ExtraCount, 'count'> & { count: string }>(
    `SELECT e.field, e.type, e.reason, sum(e.count) AS count
       FROM mongo2pg.batches b,
            jsonb_to_recordset(b.extra) AS e(field text, type text, reason text, count bigint)
      WHERE b.run_id = $1 GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3`,
    [runId],
  );
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

/** Short enough to read, long enough to distinguish runs. */
function fingerprintOf(settings: RunSettings): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16);
}
