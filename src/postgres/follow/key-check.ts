/** Whether rows of a table can be merged by the `_id` of their documents. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { Plan } from '../../transcode/plan.ts';
import { keyColumn, keyIndex } from '../compare/expected-rows.ts';
import { hasTable, qualifiedName } from '../connection/relations.ts';
import { requireFollowable } from '../table/distribution.ts';

/** A table that does not exist yet gets a primary key when it is finished. @throws TargetError with the statement to run */
export async function requireUniqueKey(client: pg.Client, plan: Plan): Promise<void> {
  if (keyIndex(plan) < 0) {
    throw new TargetError(`the table ${qualifiedName(plan)} has no column for _id, and cannot be followed`, {
      code: 'FOLLOW_NEEDS_KEY',
      fix: 'give _id a column, or copy without --follow.',
    });
  }
  if (!(await hasTable(client, plan))) return;
  await requireFollowable(client, { plan, isNew: false, isWanted: false });
  const column = keyColumn(plan);
  const { rowCount } = await client.query(
    `SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
        AND i.indnkeyatts = 1 AND a.attname = $2 LIMIT 1`,
    [qualifiedName(plan), column],
  );
  if ((rowCount ?? 0) > 0) return;
  const quoted = pg.escapeIdentifier(column);
  throw new TargetError(
    `the table ${qualifiedName(plan)} has no unique index on "${column}" to merge rows by`,
    {
      code: 'FOLLOW_NEEDS_KEY',
      fix: `make one: CREATE UNIQUE INDEX ON ${qualifiedName(plan)} (${quoted})`,
    },
  );
}
