/**
 * Finds rows of a batch that are on the nodes of Citus already, though the ledger does not have the batch: the coordinator has lost
 * a commit that the nodes have kept. (Earlier versions of this tool committed asynchronously there. A coordinator restored from a
 * backup or a lagging standby has the same effect.) The rows are found by the comparison of `verify`: a row that equals its
 * document is kept, and counts as copied.
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

/** @returns positions among the encoded documents */
export async function findKeptRows(session: Session, expected: ExpectedBatch): Promise<ReadonlySet<number>> {
  if (!(await session.run((client) => canBeKept(client, expected)))) return new Set();
  return await withExpected(session, expected, (client, staged) => findEqual(client, expected, staged));
}

/**
 * Whether a row with a document's key can only have been loaded by this run from this document. Not for a dump or a transform,
 * where an `_id` may occur more than once, and not if the table had rows before the run.
 */
async function canBeKept(client: pg.Client, { plan, runId }: ExpectedBatch): Promise<boolean> {
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

/** For each staged row, the position of its document among those encoded. */
function listStaged({ documentCount, deadLetters }: LoadableBatch, unfit: readonly number[]): number[] {
  const without = new Set([...deadLetters.map(({ ordinal }) => ordinal), ...unfit]);
  const ordinals = Array.from({ length: documentCount }, (_, ordinal) => ordinal);
  return ordinals.filter((ordinal) => !without.has(ordinal));
}
