/** Several statements in one query: one round trip, and one transaction unless they begin and end others. */

import type pg from 'pg';

/**
 * The driver returns the results of several statements as an array, which its types do not declare, and that of one as such.
 * @param sql statements without parameters, separated by semicolons
 * @returns the result of each
 * @throws the error of the first that failed, of pg
 */
export async function runStatements<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
): Promise<pg.QueryResult<Row>[]> {
  const results = (await client.query<Row>(sql)) as pg.QueryResult<Row> | pg.QueryResult<Row>[];
  return [results].flat();
}
