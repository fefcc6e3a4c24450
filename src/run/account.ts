/** The account of a run: what the ledger and the tables tell at its end, and whether it agrees with what was read. */

import type pg from 'pg';
import { TargetError } from '../common/errors.ts';
import type { Summary } from '../observe/events.ts';
import type { Plan } from '../transcode/plan.ts';
import type { CopyAccount } from '../postgres/ledger/phases.ts';
import { countDeadLetters } from '../postgres/ledger/dead-letters.ts';
import { readExtra, readTotals } from '../postgres/ledger/runs.ts';
import { countRows } from '../postgres/connection/relations.ts';

export type RunAccount = Pick<
  Summary,
  'copied' | 'deadLettered' | 'deadLetterReasons' | 'rowsAfter' | 'childRows' | 'children' | 'extra' | 'bytes'
>;

/** Counts the rows of every table, which takes as long as reading them. */
export async function readRunAccount(client: pg.Client, runId: string, plan: Plan): Promise<RunAccount> {
  const { copied, deadLettered, bytes, childRows } = await readTotals(client, runId);
  return {
    ...{ copied, deadLettered, bytes, childRows },
    deadLetterReasons: await countDeadLetters(client, runId),
    rowsAfter: await countRows(client, plan),
    children: await countChildren(client, plan),
    extra: await readExtra(client, runId),
  };
}

/** In all child tables together. */
export async function countChildRows(client: pg.Client, plan: Plan): Promise<number> {
  return (await countChildren(client, plan)).reduce((sum, { rows }) => sum + rows, 0);
}

async function countChildren(client: pg.Client, { children = [] }: Plan): Promise<Summary['children']> {
  const counts = [];
  for (const { plan } of children) counts.push({ table: plan.table, rows: await countRows(client, plan) });
  return counts;
}

/** Of the copy alone: every document that was read is a row or a dead letter. @returns the account */
export function requireCopied(account: CopyAccount): CopyAccount {
  const { read, copied, deadLettered } = account;
  if (read === copied + deadLettered) return account;
  throw new TargetError(
    `the account does not balance: read ${read}, copied ${copied}, dead-lettered ${deadLettered}`,
    { code: 'ACCOUNT_UNBALANCED', fix: 'please report this; then run again with --restart.' },
  );
}

/** Nothing is said to be done unless the reader, the ledger and the table tell the same. */
export function requireBalance(summary: Summary): void {
  const { read, copied, deadLettered, rowsBefore, rowsAfter, childRowsBefore, childRows, children } = summary;
  const inChildren = children.reduce((sum, { rows }) => sum + rows, 0);
  const isBalanced = read === copied + deadLettered && rowsAfter === rowsBefore + copied;
  if (isBalanced && inChildren === childRowsBefore + childRows) return;
  throw new TargetError(
    `the account does not balance: read ${read}, copied ${copied}, dead-lettered ${deadLettered}; ` +
      `rows in the table before ${rowsBefore}, after ${rowsAfter}; ` +
      `child rows ${childRows}, in their tables before ${childRowsBefore}, after ${inChildren}`,
    {
      code: 'ACCOUNT_UNBALANCED',
      fix: 'if nobody else wrote to the table during the run, please report this; then run again with --restart.',
    },
  );
}
