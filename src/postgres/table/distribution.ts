/** Distributed tables of Citus: reads how a table is distributed, and distributes new ones. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { isIdColumn, listDescendants, type Plan } from '../../transcode/plan.ts';
import { readCitus, requireNodes } from '../connection/citus.ts';
import { qualifiedName, type TableName } from '../connection/relations.ts';
import { addChildKeyStatements, addPrimaryKeyStatement, tablesOf } from './ddl.ts';

export interface Distribution {
  /** The distribution column; null for a reference table, or a schema on one node. */
  readonly column: string | null;
  /** partmethod in pg_dist_partition. `a` (append): the client chooses the shard of a row. */
  readonly method: 'h' | 'r' | 'a' | 'n';
}

/** @returns null for a local table, or if there is no table */
export async function readDistribution(client: pg.Client, table: TableName): Promise<Distribution | null> {
  const { rows: catalogs } = await client.query<{ isThere: boolean }>(
    'SELECT to_regclass(\'pg_catalog.pg_dist_partition\') IS NOT NULL AS "isThere"',
  );
  if (catalogs[0]?.isThere !== true) return null;
  const { rows } = await client.query<Distribution>(
    `SELECT column_to_column_name(logicalrelid, partkey) AS "column", partmethod AS method
       FROM pg_dist_partition WHERE logicalrelid = to_regclass($1)`,
    [qualifiedName(table)],
  );
  return rows[0] ?? null;
}

/**
 * Distributes tables that were just created and have no rows. All rows of a document are distributed by its `_id`, in child tables
 * too. The keys are created before the rows are loaded, so that no node accepts a batch twice, even if a crash of the coordinator
 * lost its commit.
 */
export async function distributeTables(client: pg.Client, plan: Plan): Promise<void> {
  // A foreign key cannot be added in the transaction that has distributed its tables over several connections.
  await client.query("SET LOCAL citus.multi_shard_modify_mode = 'sequential'");
  for (const statement of distributeStatements(plan)) await client.query(statement);
}

/** For tables without rows: distributes each, and creates its key. */
export function distributeStatements(plan: Plan): string[] {
  const column = plan.columns.find(isIdColumn)?.column ?? '';
  return [
    distributeStatement(plan, column, null),
    addPrimaryKeyStatement(plan),
    ...listDescendants(plan).flatMap((descendant) => {
      const { plan: child } = descendant.child;
      const distribute = distributeStatement(child, child.columns[0]?.column ?? '', plan);
      return [distribute, ...addChildKeyStatements(descendant)];
    }),
  ];
}

function distributeStatement(plan: Plan, column: string, beside: Plan | null): string {
  const values = [qualifiedName(plan), column].map((text) => pg.escapeLiteral(text));
  if (beside !== null) values.push(`colocate_with => ${pg.escapeLiteral(qualifiedName(beside))}`);
  return `SELECT create_distributed_table(${values.join(', ')})`;
}

export interface WantedDistribution {
  readonly plan: Plan;
  /** The tables do not exist yet. */
  readonly isNew: boolean;
  /** The user has set --distribute. */
  readonly isWanted: boolean;
}

/**
 * Checks that the tables can be loaded and compared on several nodes, and that a run can be resumed there.
 * @returns whether they are, or will be, distributed by `_id`
 * @throws TargetError with a fix
 */
export async function requireDistributable(
  client: pg.Client,
  { plan, isNew, isWanted }: WantedDistribution,
): Promise<boolean> {
  if (isWanted) {
    requireNodes(await readCitus(client));
    requireWhole(plan);
    requireIdColumn(plan);
  }
  if (isNew) return isWanted;
  const id = plan.columns.find(isIdColumn)?.column ?? null;
  let isDistributed = false;
  for (const [index, table] of tablesOf(plan).entries()) {
    const found = await readDistribution(client, table);
    const column = index === 0 ? id : (table.columns[0]?.column ?? null);
    if (found === null && isWanted) throw refuseUndistributed(table, column);
    if (found === null || found.method === 'n') continue;
    if (found.method === 'a' || found.column !== column) throw refuseOther(table, found, column);
    isDistributed ||= index === 0;
  }
  return isDistributed;
}

/** A node through which rows are loaded has only tables that Citus knows. @throws TargetError */
export async function requireOnNodes(
  client: pg.Client,
  { plan, isNew, isWanted }: WantedDistribution,
): Promise<void> {
  if (isNew && isWanted) return;
  for (const table of tablesOf(plan)) {
    if (!isNew && (await readDistribution(client, table)) !== null) continue;
    throw new TargetError(
      `the table ${qualifiedName(table)} is on the coordinator of Citus alone, and cannot be loaded through a node`,
      {
        code: 'CITUS_NODE_LACKS_TABLE',
        fix: 'distribute it with --distribute, or leave CITUS_NODE_URL out.',
      },
    );
  }
}

/**
 * Merged rows are distinguished from other writes by their transaction ids, which each node assigns on its own.
 * @throws TargetError
 */
export async function requireFollowable(
  client: pg.Client,
  { plan, isNew, isWanted }: WantedDistribution,
): Promise<void> {
  const isElsewhere = isNew ? isWanted : (await readDistribution(client, plan)) !== null;
  if (!isElsewhere) return;
  throw new TargetError(`the table ${qualifiedName(plan)} is on the nodes of Citus, and cannot be followed`, {
    code: 'FOLLOW_DISTRIBUTED',
    fix: 'copy without --follow, while nothing is written; or follow into a table that is not distributed, and distribute it after the cutover.',
  });
}

function requireWhole({ partitions }: Plan): void {
  if (partitions === undefined) return;
  throw new TargetError('tables are distributed or in partitions by the hash of _id, and not both', {
    code: 'DISTRIBUTION_PARTITIONED',
    fix: 'leave --partitions out: each table has citus.shard_count parts on the nodes.',
  });
}

function requireIdColumn(plan: Plan): void {
  if (plan.columns.some(isIdColumn)) return;
  throw new TargetError(`the table ${qualifiedName(plan)} has no column for _id to be distributed by`, {
    code: 'DISTRIBUTION_NEEDS_ID',
    fix: 'give _id a column in the plan, or leave --distribute out.',
  });
}

function refuseUndistributed(table: Plan, column: string | null): TargetError {
  const values = [qualifiedName(table), column ?? '_id'].map((text) => pg.escapeLiteral(text));
  return new TargetError(`the table ${qualifiedName(table)} exists already, and is not distributed`, {
    code: 'TABLE_NOT_DISTRIBUTED',
    fix: `SELECT create_distributed_table(${values.join(', ')}), or recreate it with --if-exists drop, or leave --distribute out.`,
  });
}

function refuseOther(
  table: Plan,
  { method, column: found }: Distribution,
  column: string | null,
): TargetError {
  const how = method === 'a' ? 'by append' : `by the column "${found ?? ''}"`;
  const values = [qualifiedName(table), column ?? '_id'].map((text) => pg.escapeLiteral(text));
  return new TargetError(
    `the table ${qualifiedName(table)} is distributed ${how}, and not by that of the documents' _id`,
    {
      code: 'DISTRIBUTED_OTHERWISE',
      fix: `SELECT undistribute_table(${values[0] ?? ''}) and create_distributed_table(${values.join(', ')}), or choose another table.`,
    },
  );
}
