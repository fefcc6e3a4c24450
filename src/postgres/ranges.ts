/** The ledger's ranges of a source, and what of them is still to be read: the gaps between the batches committed. */

import type pg from 'pg';
import type { Range } from '../reading/range-reading.ts';
import type { Interval } from '../source/source.ts';
import { asBuffer } from './bytea.ts';
import { requireLead, type Lead } from './lead.ts';

/** By range: the last position handed over, after which its reader found nothing more; null if it found nothing at all. */
export type RangeEnds = ReadonlyMap<number, Uint8Array | null>;

/**
 * The batches of a range form a chain: each begins where the one before it ends. Where a link is missing, its
 * documents are not committed. After the last batch comes what was never read, if the range does not end there.
 */
const gapsStatement = `
  WITH chain AS (
    SELECT r.range_no, r.after_id AS range_after, r.until_id AS range_until, b.batch, b.after_id, b.last_id,
           lag(b.last_id, 1, r.after_id) OVER (PARTITION BY r.range_no ORDER BY b.batch) AS expected_after,
           row_number() OVER (PARTITION BY r.range_no ORDER BY b.batch DESC) AS from_end
      FROM mongo2pg.ranges r LEFT JOIN mongo2pg.batches b USING (run_id, range_no)
     WHERE r.run_id = $1 AND r.closed_at IS NULL)
  SELECT range_no AS "rangeNo", expected_after AS "afterId", after_id AS "untilId", batch, false AS "isTail"
    FROM chain WHERE batch IS NOT NULL AND after_id IS DISTINCT FROM expected_after
  UNION ALL
  SELECT range_no, coalesce(last_id, range_after), range_until, NULL, true
    FROM chain WHERE from_end = 1 AND coalesce(last_id, range_after) IS DISTINCT FROM range_until
                     OR from_end = 1 AND range_until IS NULL
  ORDER BY 1, 4 NULLS LAST`;

export async function readGaps(client: pg.Client, runId: string, ends: RangeEnds): Promise<Range[]> {
  const { rows } = await client.query<Range & { isTail: boolean }>(gapsStatement, [runId]);
  const gaps = rows.filter((gap) => {
    if (!gap.isTail || !ends.has(gap.rangeNo)) return true;
    // The reader came to the end, so the tail is whole if the chain reaches as far as it got.
    const end = ends.get(gap.rangeNo) ?? null;
    return end !== null && (gap.afterId === null || Buffer.compare(end, gap.afterId) !== 0);
  });
  return gaps.map(({ rangeNo, afterId, untilId }) => ({ rangeNo, afterId, untilId }));
}

/** Closes the run's open ranges and opens one for each gap, in their order. To be called in a transaction. */
export async function replaceRanges(
  client: pg.Client,
  runId: string,
  gaps: readonly Interval[],
): Promise<Range[]> {
  await client.query('UPDATE mongo2pg.ranges SET closed_at = now() WHERE run_id = $1 AND closed_at IS NULL', [
    runId,
  ]);
  return await openRanges(client, runId, gaps);
}

/** Opens a range for each interval, in their order. To be called in a transaction. */
export async function openRanges(
  client: pg.Client,
  runId: string,
  intervals: readonly Interval[],
): Promise<Range[]> {
  const { rows } = await client.query<{ last: number | null }>(
    'SELECT max(range_no) AS last FROM mongo2pg.ranges WHERE run_id = $1',
    [runId],
  );
  const last = rows[0]?.last ?? 0;
  const ranges = intervals.map(({ afterId, untilId }, index) => ({
    rangeNo: last + index + 1,
    afterId,
    untilId,
  }));
  await client.query(
    `INSERT INTO mongo2pg.ranges (run_id, range_no, after_id, until_id)
     SELECT $1, * FROM unnest($2::int[], $3::bytea[], $4::bytea[])`,
    [
      runId,
      ranges.map(({ rangeNo }) => rangeNo),
      ranges.map(({ afterId }) => asBuffer(afterId)),
      ranges.map(({ untilId }) => asBuffer(untilId)),
    ],
  );
  return ranges;
}

/**
 * Ends a range at `cutId`, which must lie behind all that its reader has read or asked for, and opens another for the
 * rest. To be called in a transaction; when it is called again because nobody knows whether that was committed, it finds
 * what it did.
 * @throws OvertakenError
 */
export async function splitRange(
  client: pg.Client,
  lead: Lead,
  { rangeNo, untilId }: Omit<Range, 'afterId'>,
  cutId: Uint8Array,
): Promise<Range> {
  await requireLead(client, lead);
  const rest: Interval = { afterId: cutId, untilId };
  const { rowCount } = await client.query(
    `UPDATE mongo2pg.ranges SET until_id = $3
      WHERE run_id = $1 AND range_no = $2 AND until_id IS DISTINCT FROM $3`,
    [lead.runId, rangeNo, asBuffer(cutId)],
  );
  if (rowCount === 1) {
    const [range] = await openRanges(client, lead.runId, [rest]);
    if (range !== undefined) return range;
  }
  const { rows } = await client.query<{ rangeNo: number }>(
    `SELECT range_no AS "rangeNo" FROM mongo2pg.ranges
      WHERE run_id = $1 AND after_id = $2 AND closed_at IS NULL`,
    [lead.runId, asBuffer(cutId)],
  );
  const found = rows[0];
  if (found === undefined)
    throw new Error(`the ledger has no range ${rangeNo} of run ${lead.runId} to split`);
  return { ...found, ...rest };
}

/** The number of the first batch that the ledger cannot have yet. */
export async function readNextBatch(client: pg.Client, runId: string): Promise<number> {
  const { rows } = await client.query<{ next: string }>(
    'SELECT coalesce(max(batch + documents), 1) AS next FROM mongo2pg.batches WHERE run_id = $1',
    [runId],
  );
  return Number(rows[0]?.next);
}
