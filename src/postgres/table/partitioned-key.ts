/** Builds the primary key of a partitioned table: that of each partition separately, several at a time. Then they are attached. */

import { runCancellable } from '../connection/cancel.ts';
import { qualifiedName } from '../connection/relations.ts';
import type { Session } from '../connection/session.ts';
import { hasPrimaryKey } from './ddl.ts';
import { buildAlone, type Builder } from './builds.ts';
import type { SideBySideOptions } from './side-by-side.ts';
import type { TableName } from '../connection/relations.ts';

/**
 * Can be repeated: existing keys of partitions are kept.
 * @param key the columns, quoted
 * @returns how many rows there were when the keys were built; null if some keys existed before, or if a count is unknown
 */
export async function addPartitionedKey(
  session: Session,
  table: TableName,
  key: readonly string[],
  partitions: readonly TableName[],
  options: SideBySideOptions & { readonly builder?: Builder | undefined },
): Promise<number | null> {
  const { url, signal } = options;
  await runCancellable(session, url, signal, async (client) => {
    if (await hasPrimaryKey(client, table)) return;
    // ONLY: without the partitions, and so not valid yet.
    await client.query(`ALTER TABLE ONLY ${qualifiedName(table)} ADD PRIMARY KEY (${key.join(', ')})`);
  });
  const counts: (number | null)[] = [];
  const builds = partitions.map((partition) => ({ kind: 'key', table: partition, key }) as const);
  await (options.builder ?? buildAlone)(builds, options, (_place, result) => {
    counts.push(result.kind === 'built' ? result.count : null);
  });
  await runCancellable(session, url, signal, async (client) => {
    const { rows } = await client.query<{ sql: string }>(
      `SELECT format('ALTER INDEX %s ATTACH PARTITION %s', up.indexrelid::regclass, own.indexrelid::regclass) AS sql
         FROM pg_index up JOIN pg_inherits i ON i.inhparent = up.indrelid
         JOIN pg_index own ON own.indrelid = i.inhrelid AND own.indisprimary
        WHERE up.indrelid = $1::regclass AND up.indisprimary AND NOT up.indisvalid`,
      [qualifiedName(table)],
    );
    await client.query(rows.map(({ sql }) => sql).join('; '));
  });
  const known = counts.filter((count) => count !== null);
  return known.length < partitions.length ? null : known.reduce((sum, count) => sum + count, 0);
}
