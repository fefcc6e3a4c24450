/** Builds the indexes of a partitioned table: the index of each partition separately, several at a time. Then they are attached. */

import type pg from 'pg';
import type { IndexAccount } from '../../observe/summary.ts';
import type { PlannedIndex } from '../../plan/indexes/index-plan.ts';
import { runCancellable } from '../connection/cancel.ts';
import { qualifiedName } from '../connection/relations.ts';
import type { Session } from '../connection/session.ts';
import type { BuildOptions } from './build-indexes.ts';
import { buildAlone, type BuildResult } from './builds.ts';
import { createIndex } from './create-index.ts';
import type { TableName } from '../connection/relations.ts';

/** An index and its progress. */
class PartitionedIndex {
  readonly planned: PlannedIndex;
  /** The name of the index on the partitioned table. It is not valid until all parts are attached. */
  readonly name: string;
  readonly parts: TableName[] = [];
  refusal: string | undefined;
  #beganMs: number | undefined;

  constructor(planned: PlannedIndex, name: string) {
    this.planned = planned;
    this.name = name;
  }

  /** A part is about to be built. */
  begin(): void {
    this.#beganMs ??= performance.now();
  }

  /** A part is built, or cannot be. */
  take({ schema }: TableName, result: BuildResult): void {
    if (result.kind === 'built') this.#beganMs ??= performance.now() - result.durationMs;
    if (result.kind === 'refused') this.refusal = result.reason;
    else this.parts.push({ schema, table: result.name });
  }

  async attach(client: pg.Client): Promise<void> {
    const whole = qualifiedName({ schema: this.planned.table.schema, table: this.name });
    const attach = (part: TableName): string =>
      `ALTER INDEX ${whole} ATTACH PARTITION ${qualifiedName(part)}`;
    await client.query(this.parts.map(attach).join('; '));
  }

  /** If the rows of one partition do not allow the index, it is dropped from all. */
  async drop(client: pg.Client): Promise<void> {
    const whole = { schema: this.planned.table.schema, table: this.name };
    await client.query(`DROP INDEX IF EXISTS ${[whole, ...this.parts].map(qualifiedName).join(', ')}`);
  }

  account(): IndexAccount {
    const { index, notices } = this.planned;
    if (this.refusal !== undefined) return { outcome: 'left', index, reason: this.refusal };
    const durationMs = performance.now() - (this.#beganMs ?? performance.now());
    return { outcome: 'built', index, name: this.name, durationMs, notices };
  }
}

/**
 * Like `buildIndexes`, for partitioned tables.
 * @param partitionsOf by qualified name
 */
export async function buildPartitionedIndexes(
  session: Session,
  planned: readonly PlannedIndex[],
  partitionsOf: ReadonlyMap<string, readonly TableName[]>,
  options: BuildOptions,
): Promise<IndexAccount[]> {
  const { url, signal } = options;
  const run = (work: (client: pg.Client) => Promise<void>): Promise<void> =>
    runCancellable(session, url, signal, work);
  const accounts: IndexAccount[] = [];
  const report = (account: IndexAccount): void => {
    accounts.push(account);
    options.onIndex(account);
  };
  const begun: PartitionedIndex[] = [];
  for (const index of planned) {
    await run(async (client) => {
      const name = await createIndex(client, { ...index, definition: `ONLY ${index.definition}` });
      if (await isValid(client, index.table.schema, name)) {
        report({ outcome: 'present', index: index.index, name, notices: index.notices });
      } else if (!begun.some((other) => other.planned === index)) {
        begun.push(new PartitionedIndex(index, name));
      }
    });
  }
  const parts = begun.flatMap((index) =>
    (partitionsOf.get(qualifiedName(index.planned.table)) ?? []).map((partition) => ({ index, partition })),
  );
  const builds = parts.map(
    ({ index, partition }) => ({ kind: 'index', index: partOf(index.planned, partition) }) as const,
  );
  await (options.builder ?? buildAlone)(
    builds,
    options,
    (place, result) => {
      const part = parts[place];
      part?.index.take(part.partition, result);
    },
    (place) => {
      const index = parts[place]?.index;
      index?.begin();
      return index?.refusal === undefined;
    },
  );
  for (const index of begun) {
    await run((client) => (index.refusal === undefined ? index.attach(client) : index.drop(client)));
    report(index.account());
  }
  return accounts;
}

function partOf({ table, definition, ...index }: PlannedIndex, partition: TableName): PlannedIndex {
  return {
    ...index,
    table: partition,
    name: `${partition.table}_${index.index}`.replaceAll('\0', ''),
    definition: `${qualifiedName(partition)}${definition.slice(qualifiedName(table).length)}`,
  };
}

async function isValid(client: pg.Client, schema: string, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND i.indisvalid`,
    [schema, name],
  );
  return (rowCount ?? 0) > 0;
}
