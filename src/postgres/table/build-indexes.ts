/** Builds the indexes of a loaded table, several at a time, each job in a session of its own. */

import pg from 'pg';
import type { IndexAccount } from '../../observe/events.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { createIndexStatement, type PlannedIndex } from '../../plan/indexes/index-plan.ts';
import { uniqueName } from '../../common/identifiers.ts';
import type { Plan } from '../../transcode/plan.ts';
import { runCancellable } from '../connection/cancel.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import { Session } from '../connection/session.ts';
import { raiseIndexMemory } from './target.ts';
import { qualifiedName } from '../connection/relations.ts';

export interface BuildOptions {
  readonly url: string;
  readonly retryLimitMs: number;
  readonly answerTimeoutMs: number;
  /** How many at a time. */
  readonly jobs: number;
  /** Has Postgres end what it is building. */
  readonly signal: AbortSignal;
  /** Called for each when it is done. */
  onIndex(account: IndexAccount): void;
}

/**
 * What the rows do not allow is left, with Postgres's reason; any other failure ends the others, too.
 * @returns an account of each, in the given order
 */
export async function buildIndexes(
  plan: Plan,
  indexes: readonly PlannedIndex[],
  options: BuildOptions,
): Promise<IndexAccount[]> {
  const { url, retryLimitMs, answerTimeoutMs, jobs, signal } = options;
  const failure = new AbortController();
  const anySignal = AbortSignal.any([signal, failure.signal]);
  const accounts: IndexAccount[] = [];
  // All jobs take from the one iterator.
  const queue = indexes.entries();
  const runJob = async (): Promise<void> => {
    const session = await Session.open(
      {
        url,
        applicationName: 'mongo2pg index',
        retryLimitMs,
        answerTimeoutMs,
        onConnect: raiseIndexMemory,
        signal: anySignal,
      },
      'retry',
    );
    try {
      for (const [position, index] of queue) {
        await reachFailpoint('primary-in-index-build');
        const account = await buildIndex(session, plan, index, { url, signal: anySignal });
        accounts[position] = account;
        options.onIndex(account);
      }
    } finally {
      await session.close();
    }
  };
  const endOthers = (error: unknown): void => {
    failure.abort(error);
  };
  await Promise.all(Array.from({ length: Math.min(jobs, indexes.length) }, () => runJob().catch(endOthers)));
  signal.throwIfAborted();
  failure.signal.throwIfAborted();
  return accounts;
}

async function buildIndex(
  session: Session,
  plan: Plan,
  planned: PlannedIndex,
  { url, signal }: Pick<BuildOptions, 'url' | 'signal'>,
): Promise<IndexAccount> {
  const { index, notices } = planned;
  const startedMs = performance.now();
  // Outlives a connection that breaks: what is there after that may be what this process has built.
  const progress = { isBegun: false };
  let name = '';
  try {
    await runCancellable(session, url, signal, async (client) => {
      name = await createIndex(client, plan, planned, progress);
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { outcome: 'left', index, reason: describeRefusal(error) };
  }
  if (!progress.isBegun) return { outcome: 'present', index, name, notices };
  return { outcome: 'built', index, name, durationMs: performance.now() - startedMs, notices };
}

/** @returns the name under which it is there: another than the planned one where something else has that */
async function createIndex(
  client: pg.Client,
  plan: Plan,
  index: PlannedIndex,
  progress: { isBegun: boolean },
): Promise<string> {
  const taken = new Set<string>();
  for (;;) {
    const name = uniqueName(index.name, taken);
    if (await hasIndex(client, plan, name)) return name;
    progress.isBegun = true;
    try {
      await client.query(createIndexStatement(index, name));
    } catch (error) {
      if (!isNameTaken(error)) throw error;
    }
    // IF NOT EXISTS is about the name only, whatever has it.
    if (await hasIndex(client, plan, name)) return name;
  }
}

/** The primary key has an index, too, which is none of these. */
export async function hasIndex(client: pg.Client, plan: Plan, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE indrelid = $1::regclass AND relname = $2 AND NOT indisprimary AND indisvalid`,
    [qualifiedName(plan), name],
  );
  return (rowCount ?? 0) > 0;
}

/** Somebody else created something of this name at the same time, which IF NOT EXISTS does not see. */
function isNameTaken(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505' && error.schema === 'pg_catalog';
}

function describeRefusal(error: unknown): string {
  if (!(error instanceof pg.DatabaseError)) return String(error);
  const detail = error.detail === undefined ? '' : ` (${error.detail.replace(/\.$/, '')})`;
  return `Postgres: ${error.message}${detail}`;
}
