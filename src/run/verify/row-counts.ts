/** How many rows there are in the tables of a run, and how many of them are not its own. */

import type pg from 'pg';
import { countRows } from '../../postgres/connection/relations.ts';
import { readTotals, type Run } from '../../postgres/ledger/runs.ts';
import { countChildRows } from '../collection/account.ts';

export /** Rows in the tables: all of them, and those that other runs, or somebody before them, have put there. */
interface RowCounts {
  readonly rows: number;
  readonly rowsOfOthers: number;
  readonly childRows: number;
  readonly childRowsOfOthers: number;
}

/**
 * Counts by Postgres, and those of others by the ledger.
 * @param otherRuns whose rows are in the same tables
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
