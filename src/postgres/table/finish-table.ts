/** Finishes a loaded table: its primary key, the collection's other indexes, and statistics for the planner. */

import type pg from 'pg';
import {
  planIndexes,
  type IndexTarget,
  type LeftIndex,
  type PlannedIndex,
} from '../../plan/indexes/index-plan.ts';
import type { Plan } from '../../transcode/plan.ts';
import type { IndexSpec } from '../../source/index-spec.ts';
import { buildIndexes, type BuildOptions } from './build-indexes.ts';
import type { IndexAccount } from '../../observe/summary.ts';
import { runCancellable } from '../connection/cancel.ts';
import { readConnectionsLeft } from '../connection/capacity.ts';
import type { OpenRun } from './run-opening.ts';
import { settleTransactions } from '../connection/prepared-transactions.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { readIndexTarget } from './index-target.ts';
import type { Session } from '../connection/session.ts';
import {
  addForeignKeyStatement,
  analyzeStatement,
  hasForeignKey,
  listChildKey,
  listKey,
  listKeyedChildren,
  tablesOf,
} from './ddl.ts';
import { addPartitionedKey } from './partitioned-key.ts';
import { buildPartitionedIndexes } from './partitioned-indexes.ts';
import { listPartitions } from './partitions.ts';
import type { SideBySideOptions } from './side-by-side.ts';
import type { TableName } from '../connection/relations.ts';
import { addPrimaryKey, explainKeyFailure, type KeyCounts } from './primary-key.ts';
import { qualifiedName } from '../connection/relations.ts';

/**
 * Can be repeated: existing keys and indexes are kept.
 * @param specs the collection's indexes that are to be carried over
 * @returns the result of each, except for `_id`; and how many rows the tables had when their keys were built
 */
export async function finishTable(
  session: Session,
  { settings: { plan }, isOwnTable }: Pick<OpenRun, 'settings' | 'isOwnTable'>,
  specs: readonly IndexSpec[],
  options: BuildOptions,
): Promise<{ readonly indexes: IndexAccount[]; readonly counts: KeyCounts }> {
  const { url, signal } = options;
  await settleTransactions(session, options);
  const [connectionsLeft, target, partitions] = await session.run((client) =>
    inOneTrip(
      client,
      readConnectionsLeft,
      () => readIndexTarget(client, plan),
      // The keys and indexes of an existing table are left to its owner.
      async () => (isOwnTable ? await listAllPartitions(client, plan) : none),
    ),
  );
  const jobs = Math.min(options.jobs, connectionsLeft);
  const counts = isOwnTable
    ? await addKeys(session, plan, partitions, { ...options, jobs })
    : new Map<string, number>();
  const { planned, left } = planIndexes(specs, plan, target);
  const leftAccounts = (isOwnTable ? left : leaveAll([...planned, ...left])).map(
    (account) => ({ outcome: 'left', ...account }) as const,
  );
  for (const account of leftAccounts) options.onIndex(account);
  const accounts: IndexAccount[] = [];
  if (isOwnTable) {
    const isInParts = ({ table }: PlannedIndex): boolean => partitions.has(qualifiedName(table));
    const whole = planned.filter((index) => !isInParts(index));
    accounts.push(...(await buildIndexes(whole, { ...options, jobs })));
    const inParts = planned.filter(isInParts);
    accounts.push(...(await buildPartitionedIndexes(session, inParts, partitions, { ...options, jobs })));
  }
  await runCancellable(session, url, signal, (client) => analyzeTable(client, plan, target));
  return { indexes: [...accounts, ...leftAccounts], counts };
}

type KeyOptions = SideBySideOptions & Pick<BuildOptions, 'builder'>;

/** The partitions of partitioned tables, by qualified name. */
type Partitions = ReadonlyMap<string, readonly TableName[]>;

const none: Partitions = new Map();

async function listAllPartitions(client: pg.Client, plan: Plan): Promise<Partitions> {
  const found = new Map<string, readonly TableName[]>();
  for (const table of tablesOf(plan)) {
    const partitions = await listPartitions(client, table);
    if (partitions.length > 0) found.set(qualifiedName(table), partitions);
  }
  return found;
}

async function addKeys(
  session: Session,
  plan: Plan,
  partitions: Partitions,
  options: KeyOptions,
): Promise<KeyCounts> {
  const { url, signal } = options;
  const own = partitions.get(qualifiedName(plan));
  let counts: KeyCounts = new Map();
  // The child tables of a partitioned table are partitioned too.
  if (own === undefined) {
    await runCancellable(session, url, signal, async (client) => {
      counts = await addPrimaryKey(client, plan);
    });
    return counts;
  }
  return await addPartitionedKeys(session, plan, partitions, options);
}

async function addPartitionedKeys(
  session: Session,
  plan: Plan,
  partitions: Partitions,
  options: KeyOptions,
): Promise<KeyCounts> {
  const counts = new Map<string, number>();
  const build = async (table: Plan, key: readonly string[]): Promise<void> => {
    const parts = partitions.get(qualifiedName(table)) ?? [];
    const count = await addPartitionedKey(session, table, key, parts, options);
    if (count !== null) counts.set(qualifiedName(table), count);
  };
  try {
    await build(plan, listKey(plan));
  } catch (error) {
    throw await session.run((client) => explainKeyFailure(client, plan, error), 'long');
  }
  for (const child of listKeyedChildren(plan)) {
    await build(child.child.plan, listChildKey(child));
    await runCancellable(session, options.url, options.signal, async (client) => {
      if (await hasForeignKey(client, child.child.plan)) return;
      await client.query(addForeignKeyStatement(child));
    });
  }
  return counts;
}

function leaveAll(indexes: readonly Pick<LeftIndex, 'index'>[]): LeftIndex[] {
  return indexes.map(({ index }) => ({ index, reason: 'mongo2pg did not create the table' }));
}

/** Gathers statistics for the planner. */
export async function analyzeTable(
  client: pg.Client,
  plan: Plan,
  { isDistributed = false }: Partial<IndexTarget> = {},
): Promise<void> {
  await client.query(analyzeStatement(plan, isDistributed));
}
