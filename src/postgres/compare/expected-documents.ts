/**
 * Stages the expected rows of a batch, without documents whose values the column types reject, such as those that were rejected
 * when they were loaded.
 */

import type pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import type { Batch } from '../../source/page.ts';
import { DocumentCursor } from '../../bson/cursor.ts';
import { fillChildren, listChildStages } from './child-comparison.ts';
import { isCopiedAsText, stagedValues } from '../table/ddl.ts';
import { findLetters, nameDocument } from '../ledger/dead-letters.ts';
import { expectedTable, fillExpected } from './expected-rows.ts';
import { sourceOf, type LoadableBatch } from '../load/loadable-batch.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import type { Session } from '../connection/session.ts';
import { emptyStages, ensureStage, partsWithout, type Stage, StagedDocuments } from '../load/stage.ts';

export interface ExpectedBatch {
  readonly runId: string;
  readonly plan: Plan;
  readonly batch: Batch;
  readonly encoded: LoadableBatch;
}

export interface Staged {
  /** Positions, among encoded documents, of those that cannot be staged; the others are staged. */
  readonly unfit: readonly number[];
  /** Whether the rows are known to be in the order of their documents. */
  readonly isInOrder: boolean;
}

/**
 * Runs `work` in one transaction on the expected rows. If Postgres rejects a value, repeats it without the documents that cannot be
 * staged.
 * @throws the error of pg, if it does not concern single documents
 */
export async function withExpected<T>(
  session: Session,
  expected: ExpectedBatch,
  work: (client: pg.Client, staged: Staged) => Promise<T>,
): Promise<T> {
  const { plan, encoded } = expected;
  try {
    return await session.transaction(async (client) => {
      await fillExpected(client, plan, encoded);
      await fillChildren(client, plan, encoded.children);
      return await work(client, { unfit: [], isInOrder: false });
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  return await session.transaction(async (client) => {
    const unfit = await stageFit(client, expected);
    return await work(client, { unfit, isInOrder: true });
  }, 'long');
}

/** Temporary tables for the expected rows. */
export function listStages(plan: Plan): Stage[] {
  return [{ name: expectedTable, plan }, ...listChildStages(plan)];
}

async function stageFit(client: pg.Client, expected: ExpectedBatch): Promise<number[]> {
  const { plan, encoded } = expected;
  const stages = listStages(plan);
  for (const stage of stages) await ensureStage(client, stage);
  const documents = new StagedDocuments(client, stages, encoded);
  const unfit: number[] = [];
  for (const [first, last] of await listParts(client, expected, documents.ordinals)) {
    unfit.push(...(await findUnfit(client, documents, stages, first, last)));
  }
  await emptyStages(client, stages);
  const isUnfit = new Set(unfit);
  for (const [first, last] of partsWithout(documents.ordinals, isUnfit)) {
    if (first < last) await documents.stage(first, last);
  }
  return unfit;
}

/** Postgres most likely rejects the run's dead letters, so that each of these is tried alone. */
async function listParts(
  client: pg.Client,
  { runId, batch, encoded }: ExpectedBatch,
  ordinals: readonly number[],
): Promise<[first: number, last: number][]> {
  const cursor = new DocumentCursor(batch.bytes);
  const names = [];
  while (cursor.next()) names.push(nameDocument(batch.bytes.subarray(cursor.start, cursor.end)));
  const isLetter = await findLetters(client, runId, names);
  const letters = new Set(ordinals.filter((ordinal) => isLetter[sourceOf(encoded, ordinal)]));
  const alone = ordinals.flatMap((ordinal, index): [number, number][] =>
    letters.has(ordinal) ? [[index, index + 1]] : [],
  );
  return [...alone, ...partsWithout(ordinals, letters).filter(([first, last]) => first < last)];
}

async function findUnfit(
  client: pg.Client,
  documents: StagedDocuments,
  stages: readonly Stage[],
  first: number,
  last: number,
): Promise<number[]> {
  if (await isFit(client, documents, stages, first, last)) return [];
  if (last - first === 1) return [documents.ordinals[first] ?? -1];
  const middle = (first + last) >> 1;
  return [
    ...(await findUnfit(client, documents, stages, first, middle)),
    ...(await findUnfit(client, documents, stages, middle, last)),
  ];
}

/** @throws the error of Postgres if a staged value cannot be converted to its column's type */
export async function requireFit(client: pg.Client, stages: readonly Stage[]): Promise<void> {
  for (const { name, plan } of stages) {
    if (!isCopiedAsText(plan)) continue;
    const counts = stagedValues(plan).map((value) => `count(${value})`);
    await client.query(`SELECT ${counts.join(', ')} FROM ${name}`);
  }
}

/** Rolls back at the end. */
async function isFit(
  client: pg.Client,
  documents: StagedDocuments,
  stages: readonly Stage[],
  first: number,
  last: number,
): Promise<boolean> {
  await client.query('SAVEPOINT try_part');
  try {
    await emptyStages(client, stages);
    if ((await documents.stage(first, last)).length > 0) return false;
    await requireFit(client, stages);
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT try_part; RELEASE SAVEPOINT try_part');
  }
}
