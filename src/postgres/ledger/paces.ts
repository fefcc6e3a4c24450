/** The ledger's rows of paces: how fast each process may read its source. */

import type pg from 'pg';
import type { PaceRow, WrittenPace } from '../../observe/pace.ts';

/** A process refreshes its row once a second, and may have to reconnect in between. */
const aliveFor = '30 seconds';

/** The row of a process that crashed is removed after this time. */
const keptFor = '1 day';

/** @param process a UUID */
export async function announcePace(
  client: pg.Client,
  process: string,
  work: string,
  { maxRate, loadLevel }: WrittenPace,
): Promise<void> {
  await client.query(
    `WITH gone AS (DELETE FROM mongo2pg.paces WHERE seen_at < now() - interval '${keptFor}')
     INSERT INTO mongo2pg.paces (process, work, max_rate, load_level) VALUES ($1, $2, $3, $4)
     ON CONFLICT (process) DO NOTHING`,
    [process, work, maxRate, loadLevel],
  );
}

/** @returns the new pace of the process; null if it has not changed */
export async function takePace(client: pg.Client, process: string): Promise<WrittenPace | null> {
  const { rows } = await client.query<WrittenPace & { wasTaken: boolean }>(
    `UPDATE mongo2pg.paces p SET seen_at = now(), is_taken = true
       FROM (SELECT is_taken FROM mongo2pg.paces WHERE process = $1 FOR UPDATE) AS before
      WHERE p.process = $1
      RETURNING max_rate AS "maxRate", load_level AS "loadLevel", before.is_taken AS "wasTaken"`,
    [process],
  );
  const row = rows[0];
  return row === undefined || row.wasTaken ? null : row;
}

export async function withdrawPace(client: pg.Client, process: string): Promise<void> {
  await client.query('DELETE FROM mongo2pg.paces WHERE process = $1', [process]);
}

/** For all active processes. @param pace the settings to change */
export async function changePaces(client: pg.Client, pace: Partial<WrittenPace>): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.paces
        SET max_rate = coalesce($1, max_rate), load_level = coalesce($2, load_level), is_taken = false
      WHERE seen_at > now() - interval '${aliveFor}'`,
    [pace.maxRate, pace.loadLevel],
  );
}

/** Of the active processes. */
export async function listPaces(client: pg.Client): Promise<PaceRow[]> {
  const { rows } = await client.query<PaceRow>(
    `SELECT process, work, max_rate AS "maxRate", load_level AS "loadLevel", is_taken AS "isTaken"
       FROM mongo2pg.paces WHERE seen_at > now() - interval '${aliveFor}' ORDER BY work, process`,
  );
  return rows;
}
