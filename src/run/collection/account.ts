/** The account of a run: what the ledger and the tables show at its end, reconciled with what was read. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { Summary } from '../../observe/summary.ts';
import { listDescendants, type Plan } from '../../transcode/plan.ts';
import type { CopyAccount } from '../../observe/status.ts';
import { countDeadLetters } from '../../postgres/ledger/dead-letters.ts';
import { readExtra, readTotals } from '../../postgres/ledger/runs.ts';
import { inOneTrip } from '../../postgres/connection/one-trip.ts';
import { countRows, qualifiedName } from '../../postgres/connection/relations.ts';
import type { RunTotals } from '../../postgres/ledger/run-totals.ts';
import type { OpenRun } from '../../postgres/table/run-opening.ts';
import type { KeyCounts } from '../../postgres/table/primary-key.ts';

export type RunAccount = Pick<
  Summary,
  keyof Omit<RunTotals, 'documentCount'> | 'deadLetterReasons' | 'rowsAfter' | 'children' | 'extra'
>;

type AccountedRun = Pick<OpenRun, 'runId' | 'settings' | 'rowsBefore' | 'childRowsBefore'>;

/**
 * @param counts of the tables whose keys were built by this process. Building a key reads every row, and blocks writers until its
 * transaction ends, so that rows need not be counted again if that count is as expected.
 */
export async function readRunAccount(
  client: pg.Client,
  { runId, settings: { plan }, rowsBefore, childRowsBefore }: AccountedRun,
  counts: KeyCounts,
): Promise<RunAccount> {
  const [totals, deadLetterReasons, extra] = await inOneTrip(
    client,
    () => readTotals(client, runId),
    () => countDeadLetters(client, runId),
    () => readExtra(client, runId),
  );
  const { copied, deadLettered, dropped, rows, bytes, childRows } = totals;
  const known = counts.get(qualifiedName(plan));
  return {
    ...{ copied, deadLettered, dropped, rows, bytes, childRows },
    deadLetterReasons,
    rowsAfter: known === rowsBefore + rows ? known : await countRows(client, plan),
    children: listCounted(plan, counts, childRowsBefore + childRows) ?? (await countChildren(client, plan)),
    extra,
  };
}

/** @returns null if a count is missing, or if together they are not the expected number of rows */
function listCounted(plan: Plan, counts: KeyCounts, expected: number): Summary['children'] | null {
  const known = listDescendants(plan).map(({ child }) => ({
    table: child.plan.table,
    rows: counts.get(qualifiedName(child.plan)) ?? -1,
  }));
  const sum = known.reduce((total, { rows }) => total + rows, 0);
  return sum === expected && known.every(({ rows }) => rows >= 0) ? known : null;
}

/** In all child tables together. */
export async function countChildRows(client: pg.Client, plan: Plan): Promise<number> {
  return (await countChildren(client, plan)).reduce((sum, { rows }) => sum + rows, 0);
}

async function countChildren(client: pg.Client, plan: Plan): Promise<Summary['children']> {
  const counts = [];
  for (const { child } of listDescendants(plan)) {
    counts.push({ table: child.plan.table, rows: await countRows(client, child.plan) });
  }
  return counts;
}

/** Checks the copy: every document that was read is copied, a dead letter, or dropped. @returns the account */
export function requireCopied(account: CopyAccount): CopyAccount {
  const { read, copied, deadLettered, dropped = 0 } = account;
  if (read === copied + deadLettered + dropped) return account;
  throw new TargetError(
    `the account does not balance: read ${read}, copied ${copied}, dead-lettered ${deadLettered}, dropped ${dropped}`,
    { code: 'ACCOUNT_UNBALANCED', fix: 'please report this; then run again with --restart.' },
  );
}

/** A run is finished only if the reader, the ledger and the table agree. @throws TargetError */
export function requireBalance(summary: Summary): void {
  const { read, copied, deadLettered, dropped, rows, rowsBefore, rowsAfter } = summary;
  const { childRowsBefore, childRows, children } = summary;
  const inChildren = children.reduce((sum, { rows }) => sum + rows, 0);
  const isBalanced = read === copied + deadLettered + dropped && rowsAfter === rowsBefore + rows;
  if (isBalanced && inChildren === childRowsBefore + childRows) return;
  throw new TargetError(
    `the account does not balance: read ${read}, copied ${copied}, dead-lettered ${deadLettered}, ` +
      `dropped ${dropped}; rows copied ${rows}, in the table before ${rowsBefore}, after ${rowsAfter}; ` +
      `child rows ${childRows}, in their tables before ${childRowsBefore}, after ${inChildren}`,
    {
      code: 'ACCOUNT_UNBALANCED',
      fix: 'if no other program wrote to the table during the run, please report this; then run again with --restart.',
    },
  );
}
