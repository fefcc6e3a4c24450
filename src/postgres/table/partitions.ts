/** Hash partitions of a table, from the catalog. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { ExistingTable } from '../../transcode/column-target.ts';
import type { Plan } from '../../transcode/plan.ts';
import { qualifiedName } from '../connection/relations.ts';
import { listPartitionNames, tablesOf } from './ddl.ts';
import type { TableName } from '../connection/relations.ts';

/** In the order of their creation; empty if the table is not hash-partitioned. */
export async function listPartitions(client: pg.Client, { schema, table }: TableName): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS table
       FROM pg_class parent JOIN pg_namespace pn ON pn.oid = parent.relnamespace
       JOIN pg_partitioned_table p ON p.partrelid = parent.oid AND p.partstrat = 'h'
       JOIN pg_inherits i ON i.inhparent = parent.oid
       JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE pn.nspname = $1 AND parent.relname = $2 ORDER BY c.oid`,
    [schema, table],
  );
  return rows;
}

/** How a table is partitioned by the hash of one column; undefined if it is not. */
export async function readPartitioning(
  client: pg.Client,
  table: TableName,
): Promise<ExistingTable['partitioned']> {
  const { rows } = await client.query<NonNullable<ExistingTable['partitioned']>>(
    `SELECT (SELECT count(*)::int FROM pg_inherits WHERE inhparent = p.partrelid) AS count, a.attname AS column
       FROM pg_partitioned_table p
       JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
      WHERE p.partrelid = to_regclass($1) AND p.partstrat = 'h' AND p.partnatts = 1`,
    [qualifiedName(table)],
  );
  return rows[0];
}

/**
 * Checks the names of the partitions to be created.
 * @param dropped tables that are dropped first, with their partitions
 * @throws TargetError if a name is taken
 */
export async function requirePartitionNames(
  client: pg.Client,
  plan: Plan,
  dropped: readonly TableName[],
): Promise<void> {
  const names = tablesOf(plan).flatMap(listPartitionNames);
  if (names.length === 0) return;
  const { rows } = await client.query<TableName>(
    `WITH dropped AS (
       SELECT c.oid FROM jsonb_to_recordset($2) AS d(schema text, "table" text)
         JOIN pg_namespace n ON n.nspname = d.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = d."table")
     SELECT w.schema, w.table FROM jsonb_to_recordset($1) AS w(schema text, "table" text)
       JOIN pg_namespace n ON n.nspname = w.schema
       JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w."table"
      WHERE c.oid NOT IN (SELECT oid FROM dropped)
        AND NOT EXISTS (SELECT FROM pg_inherits i JOIN dropped ON dropped.oid = i.inhparent WHERE i.inhrelid = c.oid)
      ORDER BY 1, 2 LIMIT 1`,
    [JSON.stringify(names), JSON.stringify(dropped)],
  );
  const taken = rows[0];
  if (taken === undefined) return;
  throw new TargetError(
    `${qualifiedName(taken)} exists already, and a partition of ${qualifiedName(plan)} needs this name`,
    {
      code: 'PARTITION_NAME_TAKEN',
      fix: 'rename or drop it, give the table another name in a plan, or choose another POSTGRES_SCHEMA.',
    },
  );
}
