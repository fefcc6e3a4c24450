/** Builds the indexes of a loaded table, several at a time, each job in a session of its own. */

import pg from 'pg';
import type { IndexAccount } from '../../observe/summary.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { createIndexStatement, type PlannedIndex } from '../../plan/indexes/index-plan.ts';
import { uniqueName } from '../../common/identifiers.ts';
import { runCancellable } from '../connection/cancel.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import type { Session } from '../connection/session.ts';
import { buildSideBySide, type SideBySideOptions } from './side-by-side.ts';
import { qualifiedName } from '../connection/relations.ts';

export interface BuildOptions extends SideBySideOptions {
  /** Called when an index is built. */
  onIndex(account: IndexAccount): void;
}

/**
 * An index that the rows do not allow is skipped, with the reason of Postgres. Any other error stops all jobs.
 * @returns the result of each, in the given order
 */
export async function buildIndexes(
  indexes: readonly PlannedIndex[],
  options: BuildOptions,
): Promise<IndexAccount[]> {
  const accounts: IndexAccount[] = [];
  await buildSideBySide([...indexes.entries()], options, async (session, [position, index], signal) => {
    await reachFailpoint('primary-in-index-build');
    const account = await buildIndex(session, index, { url: options.url, signal });
    accounts[position] = account;
    options.onIndex(account);
  });
  return accounts;
}

async function buildIndex(
  session: Session,
  planned: PlannedIndex,
  { url, signal }: Pick<BuildOptions, 'url' | 'signal'>,
): Promise<IndexAccount> {
  const { index, notices } = planned;
  const startedMs = performance.now();
  // Kept across a lost connection: an index that exists afterwards may be the one that this process has built.
  const progress = { isBegun: false };
  let name = '';
  try {
    await runCancellable(session, url, signal, async (client) => {
      name = await createIndex(client, planned, progress);
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { outcome: 'left', index, reason: describeRefusal(error) };
  }
  if (!progress.isBegun) return { outcome: 'present', index, name, notices };
  return { outcome: 'built', index, name, durationMs: performance.now() - startedMs, notices };
}

/** @returns its name, which differs from the planned one if that was taken */
export async function createIndex(
  client: pg.Client,
  index: PlannedIndex,
  progress: { isBegun: boolean } = { isBegun: false },
): Promise<string> {
  const taken = new Set<string>();
  for (;;) {
    const name = uniqueName(index.name, taken);
    if (await hasIndex(client, index.table, name)) return name;
    progress.isBegun = true;
    try {
      await client.query(createIndexStatement(index, name));
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
