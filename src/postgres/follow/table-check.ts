/**
 * Checks the tables of a followed collection for writes that are not merges, by the transaction id of each row, and by the number
 * of rows. No values are read, so that it is much faster than a comparison.
 */

import type pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { qualifiedName } from '../connection/relations.ts';
import { tablesOf } from '../table/ddl.ts';
import type { FollowedCollection } from '../worker-settings.ts';

export interface TableCheck {
  readonly rows: number;
  readonly childRows: number;
  /** Rows in all tables that were written since then by transactions other than merges. */
  readonly foreignRows: number;
  /** Number of surplus rows; negative if rows are missing. */
  readonly surplusRows: number;
  readonly surplusChildRows: number;
  /** The check began so many transactions ago that their ids, which wrap around, are ambiguous. */
  readonly isTooOld: boolean;
}

/** Transaction ids are compared by their 32 lower bits, of which half can be distinguished. */
const maxTransactionAge = 1_500_000_000n;

/** To be called first in a transaction, so that all is read in one snapshot. @returns null if merges are not noted */
export async function checkTables(
  client: pg.Client,
  { streamId, collectionNo }: Pick<FollowedCollection, 'streamId' | 'collectionNo'>,
  plan: Plan,
  maxAge = maxTransactionAge,
): Promise<TableCheck | null> {
  await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  const { rows: moments } = await client.query<{ since: string; next: string }>(
    `SELECT since_xid AS since, pg_snapshot_xmax(pg_current_snapshot())::text AS next
       FROM mongo2pg.verifications WHERE stream_id = $1 AND collection_no = $2`,
    [streamId, collectionNo],
  );
  const [moment] = moments;
  if (moment === undefined) return null;
  const isTooOld = BigInt(moment.next) - BigInt(moment.since) > maxAge;
  const counts = [];
  for (const table of tablesOf(plan)) {
    const { rows } = await client.query<{ rows: string; foreign: string }>(
      `WITH found AS (
         SELECT CASE WHEN age(t.xmin) <= (SELECT age($3::xid8::xid)) THEN t.xmin END AS xid, count(*) AS n
           FROM ${qualifiedName(table)} t GROUP BY 1)
       SELECT coalesce(sum(n), 0) AS rows,
              coalesce(sum(n) FILTER (WHERE f.xid IS NOT NULL AND m.xid IS NULL), 0) AS "foreign"
         FROM found f LEFT JOIN (
           SELECT DISTINCT xid FROM mongo2pg.merges WHERE stream_id = $1 AND collection_no = $2) m ON m.xid = f.xid`,
      [streamId, collectionNo, moment.since],
    );
    counts.push({ rows: Number(rows[0]?.rows), foreign: Number(rows[0]?.foreign) });
  }
  const { rows: expected } = await client.query<{ rows: string; childRows: string }>(
    `SELECT base_rows + sum(inserted - deleted) AS rows, base_children + sum(child_rows) AS "childRows"
       FROM mongo2pg.verifications JOIN mongo2pg.slots USING (stream_id, collection_no)
      WHERE stream_id = $1 AND collection_no = $2 GROUP BY base_rows, base_children`,
    [streamId, collectionNo],
  );
  const [own, ...children] = counts.map(({ rows }) => rows);
  const childRows = children.reduce((sum, rows) => sum + rows, 0);
  return {
    rows: own ?? 0,
    childRows,
    foreignRows: counts.reduce((sum, { foreign }) => sum + foreign, 0),
    surplusRows: (own ?? 0) - Number(expected[0]?.rows),
    surplusChildRows: childRows - Number(expected[0]?.childRows),
    isTooOld,
  };
}

/** Records a check, so that later ones need only check what came after it. To be called in the transaction of the check. */
export async function keepCheck(
  client: pg.Client,
  { streamId, collectionNo }: Pick<FollowedCollection, 'streamId' | 'collectionNo'>,
): Promise<void> {
  await client.query(
    `WITH swept AS (
       UPDATE mongo2pg.verifications
          SET since_xid = pg_snapshot_xmin(pg_current_snapshot())::text::bigint, swept_at = clock_timestamp()
        WHERE stream_id = $1 AND collection_no = $2 RETURNING since_xid::text::xid8::xid AS since)
     DELETE FROM mongo2pg.merges m USING swept s
      WHERE m.stream_id = $1 AND m.collection_no = $2 AND age(m.xid) > age(s.since)`,
    [streamId, collectionNo],
  );
}

/** @returns what was written apart from merges, for messages; null if nothing was */
export function describeCheck(check: TableCheck | null): string | null {
  if (check === null) return 'merges are not noted any more';
  const { foreignRows, surplusRows, surplusChildRows, isTooOld } = check;
  if (isTooOld) return 'too many transactions have passed since';
  if (foreignRows > 0) return `rows were written by another program: ${foreignRows}`;
  const surplus = surplusRows !== 0 ? surplusRows : surplusChildRows;
  if (surplus > 0) return `rows too many: ${surplus}`;
  return surplus < 0 ? `rows were deleted by another program: ${-surplus}` : null;
}
