/** Finds rows with the same `_id`, of which a table can keep only one once it has its key. */

import pg from 'pg';
import { formatCount, formatPlural } from '../../common/format.ts';
import { isIdColumn, type Plan } from '../../transcode/plan.ts';
import { qualifiedName } from '../connection/relations.ts';

/** Enough examples for a message. */
const maxNamed = 5;

/**
 * A collection has none. A combined dump can have some, or the shards of a cluster.
 * @returns the end of a sentence
 */
export async function describeDuplicates(client: pg.Client, plan: Plan): Promise<string> {
  const column = plan.columns.find(isIdColumn)?.column;
  if (column === undefined) return '';
  const name = pg.escapeIdentifier(column);
  const { rows } = await client.query<{ id: string; times: string; values: string }>(
    `SELECT ${name}::text AS id, count(*) AS times, count(*) OVER () AS values
       FROM ${qualifiedName(plan)} GROUP BY ${name} HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT ${maxNamed}`,
  );
  const total = Number(rows[0]?.values ?? 0);
  const named = rows.map(({ id, times }) => `${id} (${formatCount(Number(times))} times)`).join(', ');
  const more = total > rows.length ? ', …' : '';
  return `; ${formatPlural(total, 'value')} of _id in several rows: ${named}${more}`;
}
