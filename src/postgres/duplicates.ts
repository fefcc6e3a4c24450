/** Tells of documents with the same `_id`, of which the table can have only one once it has its key. */

import pg from 'pg';
import { DataError } from '../errors.ts';
import { formatCount, formatPlural } from '../format.ts';
import { isIdColumn, type Plan } from '../plan/plan.ts';
import { qualifiedName } from './ddl.ts';

const uniqueViolation = '23505';
/** More would fill the screen. */
const maxNamed = 5;

/**
 * A collection of one server has no doubles. A dump that was put together of several has them, or one that was taken
 * without `--oplog` while documents moved; and the shards of a cluster, which may have orphans.
 * @param error what the key was refused with
 * @returns the same for any other reason
 */
export async function explainDuplicates(client: pg.Client, plan: Plan, error: unknown): Promise<unknown> {
  const column = plan.columns.find(isIdColumn)?.column;
  if (!(error instanceof pg.DatabaseError) || error.code !== uniqueViolation || column === undefined)
    return error;
  const name = pg.escapeIdentifier(column);
  const { rows } = await client.query<{ id: string; times: string; values: string }>(
    `SELECT ${name}::text AS id, count(*) AS times, count(*) OVER () AS values
       FROM ${qualifiedName(plan)} GROUP BY ${name} HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT ${maxNamed}`,
  );
  const total = Number(rows[0]?.values ?? 0);
  const named = rows.map(({ id, times }) => `${id} (${formatCount(Number(times))} times)`).join(', ');
  const more = total > rows.length ? ', …' : '';
  return new DataError(
    `${formatPlural(total, 'value')} of _id stand in more than one document of ${plan.collection}: ${named}${more}`,
    {
      fix: 'take the doubles out of what is read, and begin anew with --restart; or fill a table of your own that has no key on _id (docs/tables.md).',
      cause: error,
    },
  );
}
