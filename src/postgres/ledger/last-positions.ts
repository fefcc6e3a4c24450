/** Positions of the last documents that a run read. They identify a source that has no identity of its own. */

import type pg from 'pg';
import { asBuffer } from '../connection/bytea.ts';

/** @returns the last positions of its latest batches, the latest first */
export async function readLastPositions(client: pg.Client, runId: string, limit: number): Promise<Buffer[]> {
  const { rows } = await client.query<{ last: Uint8Array }>(
    'SELECT last_id AS "last" FROM mongo2pg.batches WHERE run_id = $1 ORDER BY committed_at DESC LIMIT $2',
    [runId, limit],
  );
  return rows.map(({ last }) => asBuffer(last));
}
