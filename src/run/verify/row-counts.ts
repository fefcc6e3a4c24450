/** Row counts of the tables of a run: all, and those of others. */

import type pg from 'pg';
import { countRows } from '../../postgres/connection/relations.ts';
import { readTotals, type Run } from '../../postgres/ledger/runs.ts';
import { countChildRows } from '../collection/account.ts';

export /** Rows in the tables: all, and those from other runs or from before the runs. */
interface RowCounts {
  readonly rows: number;
  readonly rowsOfOthers: number;
  readonly childRows: number;
  readonly childRowsOfOthers: number;
}

/**
 * All rows are counted by Postgres; those of others come from the ledger.
 * @param otherRuns runs into the same tables
 */
export async function countTableRows(
  client: pg.Client,
  run: Run,
  otherRuns: readonly Run[],
): Promise<RowCounts> {
  const { plan } = run.settings;
  const inTable = [run, ...otherRuns];
  let rowsOfOthers = Math.min(...inTable.map(({ rowsBefore }) => rowsBefore));
  let childRowsOfOthers = Math.min(...inTable.map(({ childRowsBefore }) => childRowsBefore));
  for (const { runId } of otherRuns) {
    const { rows, childRows } = await readTotals(client, runId);
    rowsOfOthers += rows;
    childRowsOfOthers += childRows;
  }
  const childRows = await countChildRows(client, plan);
  return { rows: await countRows(client, plan), rowsOfOthers, childRows, childRowsOfOthers };
}
