/** Builds the primary keys of loaded tables, and counts their rows with that. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { isIdColumn, type Plan } from '../../transcode/plan.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { qualifiedName, type TableName } from '../connection/relations.ts';
import { runStatements } from '../connection/several-statements.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import {
  addChildKeyStatements,
  addPrimaryKeyStatement,
  hasPrimaryKey,
  keyCountStatement,
  listKeyedChildren,
} from './ddl.ts';
import { describeDuplicates } from './duplicates.ts';

const uniqueViolation = '23505';

/** Enough to sort millions of keys in memory, and acceptable for a small server. */
const minIndexMemoryKb = 256 * 1024;

/** reltuples is a float4, which represents all integers below this one exactly. */
const maxExactCount = 2 ** 24;

/** For a session that builds an index. A larger value of the server is kept. */
export async function raiseIndexMemory(client: pg.Client): Promise<void> {
  await client.query(
    `SELECT set_config(name, greatest(setting::integer, $1) || 'kB', false)
       FROM pg_settings WHERE name = 'maintenance_work_mem'`,
    [minIndexMemoryKb],
  );
}

/** How many rows each table had when its key was built, by qualified name. */
export type KeyCounts = ReadonlyMap<string, number>;

/**
 * Builds the primary key of each unpartitioned table that has none. Can be repeated.
 * @returns row counts of the tables whose keys were built now
 */
export async function addPrimaryKey(client: pg.Client, plan: Plan): Promise<KeyCounts> {
  const counts = new Map<string, number>();
  if (!plan.columns.some(isIdColumn)) return counts;
  const [, hasKey] = await inOneTrip(client, raiseIndexMemory, () => hasPrimaryKey(client, plan));
  if (!hasKey) {
    try {
      await buildKey(client, counts, plan, [addPrimaryKeyStatement(plan)]);
    } catch (error) {
      throw await explainKeyFailure(client, plan, error);
    }
  }
  for (const child of listKeyedChildren(plan)) {
    if (await hasPrimaryKey(client, child.child.plan)) continue;
    await buildKey(client, counts, child.child.plan, addChildKeyStatements(child));
  }
  await client.query('RESET maintenance_work_mem');
  return counts;
}

async function buildKey(
  client: pg.Client,
  counts: Map<string, number>,
  table: TableName,
  statements: readonly string[],
): Promise<void> {
  const count = await runCounting(client, table, statements);
  if (count !== null) counts.set(qualifiedName(table), count);
}

/** Runs the statements atomically. @returns how many rows the table had; null if there are too many for an exact count */
export async function runCounting(
  client: pg.Client,
  table: TableName,
  statements: readonly string[],
): Promise<number | null> {
  // Several statements in one query are one transaction.
  const sql = [...statements, keyCountStatement(table)].join('; ');
  const results = await runStatements<{ count: number }>(client, sql);
  const count = results.at(-1)?.rows[0]?.count;
  return count !== undefined && count < maxExactCount ? count : null;
}

/**
 * @returns a TargetError if the table's rows do not allow the key: older rows, or documents that a dump has twice. Other reasons
 * were excluded when the run's rows were loaded.
 */
export async function explainKeyFailure(client: pg.Client, plan: Plan, error: unknown): Promise<unknown> {
  if (!isRefusal(error)) return error;
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  const duplicates = error.code === uniqueViolation ? await describeDuplicates(client, plan) : '';
  return new TargetError(
    `the primary key of ${qualifiedName(plan)} cannot be built: ${error.message}${detail}${duplicates}`,
    {
      code: 'PRIMARY_KEY_FAILED',
      fix:
        plan.transform === undefined
          ? 'change the key of that row, and run the same command again: all rows are loaded, and only the key is missing.'
          : 'the transform may give several documents the same _id: correct it, and start from scratch with --restart.',
      cause: error,
    },
  );
}
