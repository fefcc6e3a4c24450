/** Finishes a loaded table: its primary key, the collection's other indexes, and statistics for the planner. */

import type pg from 'pg';
import { planIndexes, type LeftIndex } from '../../plan/indexes/index-plan.ts';
import type { IndexSpec } from '../../source/index-spec.ts';
import { buildIndexes, type BuildOptions } from './build-indexes.ts';
import type { IndexAccount } from '../../observe/events.ts';
import { runCancellable } from '../connection/cancel.ts';
import { readConnectionsLeft } from '../connection/capacity.ts';
import type { OpenRun } from './run-opening.ts';
import { readMajorVersion } from '../connection/server-check.ts';
import type { Session } from '../connection/session.ts';
import { addPrimaryKey, analyzeTable } from './target.ts';

/**
 * May be done again: what is there is left as it is.
 * @param specs the collection's indexes, as far as they are to be carried over
 * @returns what became of each, other than that of `_id`
 */
export async function finishTable(
  session: Session,
  { settings: { plan }, isOwnTable }: Pick<OpenRun, 'settings' | 'isOwnTable'>,
  specs: readonly IndexSpec[],
  options: BuildOptions,
): Promise<IndexAccount[]> {
  const { url, signal } = options;
  const run = (work: (client: pg.Client) => Promise<void>): Promise<void> =>
    runCancellable(session, url, signal, work);

  // The keys and indexes of a table that somebody else made are their decision.
  if (isOwnTable) await run((client) => addPrimaryKey(client, plan));
  const { planned, left } = planIndexes(specs, plan, await session.run(readMajorVersion));
  const leftAccounts = (isOwnTable ? left : leaveAll([...planned, ...left])).map(
    (account) => ({ outcome: 'left', ...account }) as const,
  );
  for (const account of leftAccounts) options.onIndex(account);
  const jobs = Math.min(options.jobs, await session.run(readConnectionsLeft));
  const accounts = isOwnTable ? await buildIndexes(plan, planned, { ...options, jobs }) : [];
  await run((client) => analyzeTable(client, plan));
  return [...accounts, ...leftAccounts];
}

function leaveAll(indexes: readonly Pick<LeftIndex, 'index'>[]): LeftIndex[] {
  return indexes.map(({ index }) => ({ index, reason: 'mongo2pg did not create the table' }));
}
