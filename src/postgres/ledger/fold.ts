/**
 * Keeps the ledger small by merging the rows of consecutive batches into one. Sums, the chain of a range and its gaps do not
 * change. The row of a single batch can no longer reject a second delivery, so the range's epoch is raised to do that.
 */

import type pg from 'pg';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Session } from '../connection/session.ts';
import { requireLeadership, type Leadership } from './leadership.ts';

/** Fewer rows are read faster than folded. */
const worthFolding = 500;

/** Rows per transaction; a larger range is still folded in one. */
const rowsAtATime = 100_000;

/** The count columns have the type integer. */
const maxDocuments = 100_000_000;
const maxAddedRows = 2_000_000_000;

export interface FoldLimits {
  readonly worthFolding: number;
  readonly rowsAtATime: number;
}

/**
 * Folds the batches of a run whose documents are all committed, with no batch in flight. Can be interrupted and repeated.
 * @returns the number of rows before and after; null if there were too few to fold
 * @throws SupersededError
 */
export async function foldRun(
  session: Session,
  leadership: Leadership,
  limits: FoldLimits = { worthFolding, rowsAtATime },
): Promise<{ readonly before: number; readonly after: number } | null> {
  const ranges = await session.run((client) => countBatches(client, leadership.runId), 'long');
  const before = ranges.reduce((sum, { batches }) => sum + batches, 0);
  if (before < limits.worthFolding) return null;
  let folded = 0;
  for (const part of inParts(ranges, limits.rowsAtATime)) {
    await reachFailpoint('primary-in-fold');
    folded += await session.transaction((client) => foldRanges(client, leadership, part), 'long');
  }
  return { before, after: before - folded };
}

/**
 * To be called in a transaction. Every batch of these ranges must be settled: later deliveries are rejected, committed or not.
 * Waits for transactions of workers that are gone.
 * @returns how many rows were removed
 * @throws SupersededError
 */
export async function foldRanges(
  client: pg.Client,
  leadership: Leadership,
  rangeNos: readonly number[],
): Promise<number> {
  await requireLeadership(client, leadership);
  await client.query(
    `SELECT FROM mongo2pg.ranges WHERE run_id = $1 AND range_no = ANY ($2) ORDER BY range_no FOR UPDATE`,
    [leadership.runId, rangeNos],
  );
  // Postgres underestimates these rows. Any join other than a hash join would compare each with all others.
  await client.query('SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off');
  // A separate statement, so that its snapshot includes what the one before has waited for.
  const { rows } = await client.query<{ folded: number }>(foldStatement, [
    leadership.runId,
    rangeNos,
    maxDocuments,
    maxAddedRows,
  ]);
  return rows[0]?.folded ?? 0;
}

/**
 * A stretch is a part of the chain without a gap, cut where a row would exceed the maximum counts. A single row is left unchanged.
 */
const foldStatement = `
  WITH owned AS (
    UPDATE mongo2pg.ranges SET epoch = epoch + 1 WHERE run_id = $1 AND range_no = ANY ($2)),
  linked AS (
    SELECT range_no, batch, batch / $3 AS part, added_rows,
           after_id IS DISTINCT FROM lag(last_id) OVER (PARTITION BY range_no ORDER BY batch) AS is_begin
      FROM mongo2pg.batches WHERE run_id = $1 AND range_no = ANY ($2)),
  stretched AS (
    SELECT range_no, batch, part, added_rows,
           count(*) FILTER (WHERE is_begin) OVER (PARTITION BY range_no ORDER BY batch) AS stretch
      FROM linked),
  placed AS (
    SELECT range_no, batch, min(batch) OVER row AS first, count(*) OVER row AS batches, sum(added_rows) OVER row AS added
      FROM stretched WINDOW row AS (PARTITION BY range_no, stretch, part)),
  gone AS (
    DELETE FROM mongo2pg.batches b USING placed p
     WHERE b.run_id = $1 AND b.range_no = p.range_no AND b.batch = p.batch AND p.batches > 1 AND p.added <= $4
    RETURNING b.*, p.first),
  counted AS (
    SELECT range_no, first, jsonb_agg(jsonb_build_object('field', field, 'type', type, 'reason', reason, 'count', count)) AS extra
      FROM (SELECT g.range_no, g.first, e.field, e.type, e.reason, sum(e.count) AS count
              FROM gone g, jsonb_to_recordset(g.extra) AS e(field text, type text, reason text, count bigint)
             GROUP BY 1, 2, 3, 4, 5) each
     GROUP BY 1, 2),
  summed AS (
    SELECT range_no, first, (array_agg(after_id ORDER BY batch))[1] AS after_id,
           (array_agg(last_id ORDER BY batch DESC))[1] AS last_id, sum(documents) AS documents, sum(copied) AS copied,
           sum(dead_lettered) AS dead_lettered, sum(bytes) AS bytes, sum(child_rows) AS child_rows,
           sum(dropped) AS dropped, sum(added_rows) AS added_rows, max(committed_at) AS committed_at
      FROM gone GROUP BY range_no, first),
  added AS (
    INSERT INTO mongo2pg.batches
      (run_id, range_no, batch, after_id, last_id, documents, copied, dead_lettered, bytes, extra, child_rows, dropped,
       added_rows, committed_at)
    SELECT $1, s.range_no, s.first, s.after_id, s.last_id, s.documents, s.copied, s.dead_lettered, s.bytes, c.extra,
           s.child_rows, s.dropped, s.added_rows, s.committed_at
      FROM summed s LEFT JOIN counted c USING (range_no, first)
    RETURNING 1)
  SELECT ((SELECT count(*) FROM gone) - (SELECT count(*) FROM added))::int AS folded`;

interface FoldedRange {
  readonly rangeNo: number;
  readonly batches: number;
}

/** Ranges with several batches. Ranges below 1 are of followed changes, which form no chain. */
async function countBatches(client: pg.Client, runId: string): Promise<FoldedRange[]> {
  const { rows } = await client.query<FoldedRange>(
    `SELECT range_no AS "rangeNo", count(*)::int AS batches FROM mongo2pg.batches
      WHERE run_id = $1 AND range_no > 0 AND has_table_privilege('mongo2pg.batches', 'DELETE') GROUP BY range_no HAVING count(*) > 1 ORDER BY range_no`,
    [runId],
  );
  return rows;
}

function inParts(ranges: readonly FoldedRange[], rowsInPart: number): number[][] {
  const parts: number[][] = [];
  let rows = Infinity;
  for (const { rangeNo, batches } of ranges) {
    if (rows + batches > rowsInPart) {
      parts.push([]);
      rows = 0;
    }
    parts.at(-1)?.push(rangeNo);
    rows += batches;
  }
  return parts;
}

/** An SQL expression for the row that counts a batch: its own, or the one that it was folded into. */
export function rowOfBatch(runId: string, rangeNo: string, batch: string): string {
  return `(SELECT max(f.batch) FROM mongo2pg.batches f WHERE f.run_id = ${runId} AND f.range_no = ${rangeNo} AND f.batch <= ${batch})`;
}
