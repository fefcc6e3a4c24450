/**
 * Finds the rows of a batch that are on the nodes of Citus already, though the ledger does not know of the batch: its coordinator
 * has lost a commit that the nodes have kept. (Earlier versions of this tool committed asynchronously there; a coordinator that was
 * put back from a backup or a late standby is like it.) They are found by the comparison that `verify` makes: a row
 * that is all as its document is kept, and counts as copied.
 */

import type pg from 'pg';
import { emptyStages } from '../load/stage.ts';
import type { LoadableBatch } from '../load/loadable-batch.ts';
import type { Session } from '../connection/session.ts';
import { readDistribution } from '../table/distribution.ts';
import { readActualRows } from './actual-rows.ts';
import { compareChildren, fillChildren } from './child-comparison.ts';
import { listStages, withExpected, type ExpectedBatch, type Staged } from './expected-documents.ts';
import { fillExpected } from './expected-rows.ts';
import { RowComparison } from './row-comparison.ts';

/** @returns the positions of their documents among those encoded */
export async function findKeptRows(session: Session, expected: ExpectedBatch): Promise<ReadonlySet<number>> {
  if (!(await session.run((client) => mayBeKept(client, expected)))) return new Set();
  return await withExpected(session, expected, (client, staged) => findEqual(client, expected, staged));
}

/**
 * Whether a row of a document's key can only be that document's, loaded by this run: each `_id` is in a collection once, and in a
 * dump, or after a transform, perhaps more often; and where rows were there before the run, it may be one of these.
 */
async function mayBeKept(client: pg.Client, { plan, runId }: ExpectedBatch): Promise<boolean> {
  if ((await readDistribution(client, plan)) === null || plan.transform !== undefined) return false;
  const { rowCount } = await client.query(
    `SELECT FROM mongo2pg.runs
      WHERE run_id = $1 AND rows_before + child_rows_before = 0
        AND NOT starts_with(coalesce(settings ->> 'collectionId', ''), 'dump ')`,
    [runId],
  );
  return (rowCount ?? 0) > 0;
}

async function findEqual(
  client: pg.Client,
  { plan, encoded }: ExpectedBatch,
  { unfit, isInOrder }: Staged,
): Promise<Set<number>> {
  if (!isInOrder) {
    await emptyStages(client, listStages(plan));
    await fillExpected(client, plan, encoded);
    await fillChildren(client, plan, encoded.children);
  }
  const actual = await readActualRows(client, plan);
  const comparison = new RowComparison(plan, actual);
  await actual.fetch(client, plan, null);
  const differing = new Set((await comparison.findDiffering(client)).map(({ row }) => row));
  const { differences } = await compareChildren(client, plan, encoded.children, null, actual);
  const staged = listStaged(encoded, unfit);
  return new Set(staged.filter((_, row) => !differing.has(row) && !differences.has(row)));
}

/** Of each row that is staged the position of its document among those encoded. */
function listStaged({ documentCount, deadLetters }: LoadableBatch, unfit: readonly number[]): number[] {
  const without = new Set([...deadLetters.map(({ ordinal }) => ordinal), ...unfit]);
  const ordinals = Array.from({ length: documentCount }, (_, ordinal) => ordinal);
  return ordinals.filter((ordinal) => !without.has(ordinal));
}
