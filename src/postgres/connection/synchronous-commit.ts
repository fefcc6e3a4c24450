/** Commits that are on the disk when they are acknowledged, whatever the default of the database or the session is. */

import type pg from 'pg';

/** For the rest of the transaction: a crash of PostgreSQL must not undo what is relied on afterwards. */
export async function commitSynchronously(client: pg.Client): Promise<void> {
  await client.query('SET LOCAL synchronous_commit = on');
}

/** The same within one statement: a part of its WITH, which it has to name in FROM. */
export const synchronousPart = `synchronous AS (SELECT set_config('synchronous_commit', 'on', true))`;
