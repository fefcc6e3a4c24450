/** Commits that a crash has left half done on the nodes of Citus: their rows are waited for before anybody counts or compares. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { pollUntil } from '../../common/poll.ts';
import { readCitus, recoverTransactions } from './citus.ts';
import type { Session } from './session.ts';

interface SettleOptions {
  readonly retryLimitMs: number;
  readonly signal?: AbortSignal;
}

/** Citus does it by itself once a minute, where the user may not have it done. */
const leastLimitMs = 90_000;

/**
 * Resolves when all that was committed is seen, and nothing that was not holds a lock.
 * @throws TargetError when a node stays away
 */
export async function settleTransactions(
  session: Session,
  { retryLimitMs, signal }: SettleOptions,
): Promise<void> {
  if ((await session.run(readCitus)) === null) return;
  let asked: ReadonlySet<string> | undefined;
  let away = '';
  const isSettled = await pollUntil(
    async () => {
      await session.run(recoverTransactions);
      const look = await session.run(listPrepared);
      away = look.away.join(', ');
      if (look.away.length > 0) return undefined;
      // What comes later is of transactions that others have under way.
      asked ??= new Set(look.prepared);
      const isLeft = asked;
      return look.prepared.some((gid) => isLeft.has(gid)) ? undefined : true;
    },
    Math.max(retryLimitMs, leastLimitMs),
    signal,
  );
  if (isSettled === true) return;
  const what =
    away === '' ? 'transactions of a crash stay prepared on nodes' : `nodes do not answer: ${away}`;
  throw new TargetError(`Citus: ${what}`, {
    code: 'CITUS_NODE_AWAY',
    fix: 'start the nodes; SELECT recover_prepared_transactions() on the coordinator ends what is left; then run the same command again.',
    isServerGone: true,
  });
}

interface Look {
  readonly prepared: readonly string[];
  /** Nodes that do not tell. */
  readonly away: readonly string[];
}

async function listPrepared(client: pg.Client): Promise<Look> {
  const { rows } = await client.query<{ node: string; isThere: boolean; gids: string }>(
    `SELECT nodename || ':' || nodeport AS node, success AS "isThere", result AS gids FROM run_command_on_workers($$
       SELECT coalesce(json_agg(gid), '[]') FROM pg_prepared_xacts
        WHERE gid LIKE 'citus\\_0\\_%' AND database = current_database() $$)`,
  );
  return {
    prepared: rows.flatMap(({ isThere, gids }) => (isThere ? (JSON.parse(gids) as string[]) : [])),
    away: rows.filter(({ isThere }) => !isThere).map(({ node }) => node),
  };
}
