/** The ledger's ranges of a source, and what is still to be read of them: the gaps between committed batches. */

import type pg from 'pg';
import type { Interval, Range } from '../../source/page.ts';
import { asBuffer } from '../connection/bytea.ts';
import { SupersededError, requireLeadership, type Leadership } from './leadership.ts';

/** A part of a range that no committed batch covers. */
export interface Gap extends Interval {
  readonly rangeNo: number;
}

/**
 * The batches of a range form a chain: each begins where the one before it ends. If a link is missing, its documents are not
 * committed. The part after the last batch was not read, unless the range ends there, or the reader reached its end.
 */
const gapsStatement = `
  WITH chain AS (
    SELECT r.range_no, r.after_id AS range_after, r.until_id AS range_until, b.batch, b.after_id,
           coalesce(b.last_id, r.after_id) AS chain_end,
           $2 AND r.read_at IS NOT NULL AS is_read, r.last_id AS read_to,
           lag(b.last_id, 1, r.after_id) OVER (PARTITION BY r.range_no ORDER BY b.batch) AS expected_after,
           row_number() OVER (PARTITION BY r.range_no ORDER BY b.batch DESC) AS from_end
      FROM mongo2pg.ranges r LEFT JOIN mongo2pg.batches b USING (run_id, range_no)
     WHERE r.run_id = $1 AND r.closed_at IS NULL AND ($3::int[] IS NULL OR r.range_no = ANY ($3)))
  SELECT range_no AS "rangeNo", expected_after AS "after", after_id AS "until", batch
    FROM chain WHERE batch IS NOT NULL AND after_id IS DISTINCT FROM expected_after
  UNION ALL
  SELECT range_no, chain_end, range_until, NULL
    FROM chain WHERE from_end = 1 AND (range_until IS NULL OR chain_end IS DISTINCT FROM range_until)
                 AND NOT (is_read AND (read_to IS NULL OR chain_end IS NOT DISTINCT FROM read_to))
  ORDER BY 1, 4 NULLS LAST`;

/**
 * @param trustsEnds whether a range that was read to its end is complete. False for ranges of another process: what it took for the
 * end may have been a source that was shutting down. Reading again costs one page per range.
 * @param rangeNos only of these ranges; of all when absent
 */
export async function readGaps(
  client: pg.Client,
  runId: string,
  trustsEnds: boolean,
  rangeNos: readonly number[] | null = null,
): Promise<Gap[]> {
  const { rows } = await client.query<Gap>(gapsStatement, [runId, trustsEnds, rangeNos]);
  return rows.map(({ rangeNo, after, until }) => ({ rangeNo, after, until }));
}

/**
 * Closes the run's open ranges, whose batches are rejected from then on, and opens one for each gap, in order. To be
 * called in a transaction that has locked them (see `endOrphanedSessions`, `requireExclusiveLeadership`).
 */
export async function replaceRanges(
  client: pg.Client,
  runId: string,
  gaps: readonly Interval[],
): Promise<Range[]> {
  await closeRanges(client, runId);
  return await openRanges(client, runId, gaps);
}

/**
 * Batches of closed ranges are rejected from then on. To be called in a transaction that has locked them.
 * @param rangeNos only these ranges; all if absent
 */
export async function closeRanges(
  client: pg.Client,
  runId: string,
  rangeNos: readonly number[] | null = null,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.ranges SET closed_at = now(), epoch = epoch + 1
      WHERE run_id = $1 AND closed_at IS NULL AND ($2::int[] IS NULL OR range_no = ANY ($2))`,
    [runId, rangeNos],
  );
}

/**
 * Opens a range for each interval, in their order. To be called in a transaction.
 * @param hostId the owner, with several hosts
 */
export async function openRanges(
  client: pg.Client,
  runId: string,
  intervals: readonly Interval[],
  hostId: string | null = null,
): Promise<Range[]> {
  const { rows } = await client.query<{ rangeNo: number }>(
    `INSERT INTO mongo2pg.ranges (run_id, host_id, range_no, epoch, after_id, until_id)
     SELECT $1, $2, coalesce((SELECT max(range_no) FROM mongo2pg.ranges WHERE run_id = $1), 0) + place, 1, after_id, until_id
       FROM unnest($3::bytea[], $4::bytea[]) WITH ORDINALITY AS interval (after_id, until_id, place)
     RETURNING range_no AS "rangeNo"`,
    [
      runId,
      hostId,
      intervals.map(({ after }) => asBuffer(after)),
      intervals.map(({ until }) => asBuffer(until)),
    ],
  );
  const first = rows.reduce((least, { rangeNo }) => Math.min(least, rangeNo), Infinity);
  return intervals.map(({ after, until }, index) => ({ rangeNo: first + index, epoch: 1, after, until }));
}

/**
 * Ends a range at `cut`, which must lie after everything that its reader has read or requested, and opens another range for the
 * rest. To be called in a transaction. If it is repeated because it is unknown whether that was committed, it finds its own result.
 * @throws SupersededError
 */
export async function splitRange(
  client: pg.Client,
  leadership: Leadership,
  range: Omit<Range, 'after'>,
  cut: Uint8Array,
): Promise<Range> {
  await requireLeadership(client, leadership);
  const rest = await cutRange(client, leadership.runId, range, cut);
  if (rest !== null) return rest;
  throw new Error(`the ledger has no range ${range.rangeNo} of run ${leadership.runId} to split`);
}

/**
 * Implements `splitRange`. To be called in a transaction that prevents others from opening ranges.
 * @param hostId the owner of the rest, with several hosts
 * @returns null if another process owns the range
 */
export async function cutRange(
  client: pg.Client,
  runId: string,
  { rangeNo, epoch, until }: Omit<Range, 'after'>,
  cut: Uint8Array,
  hostId: string | null = null,
): Promise<Range | null> {
  const rest: Interval = { after: cut, until };
  const { rowCount } = await client.query(
    `UPDATE mongo2pg.ranges SET until_id = $3
      WHERE run_id = $1 AND range_no = $2 AND epoch = $4 AND until_id IS DISTINCT FROM $3`,
    [runId, rangeNo, asBuffer(cut), epoch],
  );
  if (rowCount === 1) {
    const [range] = await openRanges(client, runId, [rest], hostId);
    if (range !== undefined) return range;
  }
  const { rows } = await client.query<Pick<Range, 'rangeNo' | 'epoch'>>(
    `SELECT range_no AS "rangeNo", epoch FROM mongo2pg.ranges
      WHERE run_id = $1 AND after_id = $2 AND closed_at IS NULL AND host_id IS NOT DISTINCT FROM $3`,
    [runId, asBuffer(cut), hostId],
  );
  const found = rows[0];
  return found === undefined ? null : { ...found, ...rest };
}

/**
 * Records that a range was read to its end. Commits asynchronously: if a crash loses it, the end is read again.
 * @param last the last position in it; null if it had no documents
 * @throws SupersededError
 */
export async function finishRange(
  client: pg.Client,
  runId: string,
  { rangeNo, epoch }: Pick<Range, 'rangeNo' | 'epoch'>,
  last: Uint8Array | null,
): Promise<void> {
  const { rowCount } = await client.query(
    `WITH hasty AS (SELECT set_config('synchronous_commit', 'off', true))
     UPDATE mongo2pg.ranges SET last_id = $4, read_at = now() FROM hasty
      WHERE run_id = $1 AND range_no = $2 AND epoch = $3`,
    [runId, rangeNo, epoch, asBuffer(last)],
  );
  if (rowCount === 0) throw new SupersededError();
}
