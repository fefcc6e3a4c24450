/** Creates the index of a table. */

import pg from 'pg';
import { createIndexStatement, type PlannedIndex } from '../../plan/indexes/index-plan.ts';
import { uniqueName } from '../../common/identifiers.ts';
import { qualifiedName } from '../connection/relations.ts';

/**
 * @param execute executes its statement
 * @returns its name, which differs from the planned one if that was taken
 */
export async function createIndex(
  client: pg.Client,
  index: PlannedIndex,
  progress: { isBegun: boolean } = { isBegun: false },
  execute: (statement: string) => Promise<unknown> = (statement) => client.query(statement),
): Promise<string> {
  const taken = new Set<string>();
  for (;;) {
    const name = uniqueName(index.name, taken);
    if (await hasIndex(client, index.table, name)) return name;
    progress.isBegun = true;
    try {
      await execute(createIndexStatement(index, name));
    } catch (error) {
      if (!isNameTaken(error)) throw error;
    }
    // IF NOT EXISTS checks only the name, of any kind of relation.
    if (await hasIndex(client, index.table, name)) return name;
  }
}

/** Without the index of the primary key. The index of a partitioned table is valid once those of its partitions are attached. */
export async function hasIndex(
  client: pg.Client,
  table: PlannedIndex['table'],
  name: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE indrelid = $1::regclass AND relname = $2 AND NOT indisprimary AND (indisvalid OR relkind = 'I')`,
    [qualifiedName(table), name],
  );
  return (rowCount ?? 0) > 0;
}

/** Another session created a relation of this name at the same time, which IF NOT EXISTS does not detect. */
function isNameTaken(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505' && error.schema === 'pg_catalog';
}

export function describeRefusal(error: unknown): string {
  if (!(error instanceof pg.DatabaseError)) return String(error);
  const detail = error.detail === undefined ? '' : ` (${error.detail.replace(/\.$/, '')})`;
  return `Postgres: ${error.message}${detail}`;
}
