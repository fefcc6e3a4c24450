/**
 * Prepared transactions that a crash has left on servers of Citus: of the coordinator on nodes, and of a node that loads on all others. They
 * must be completed before rows are counted or compared.
 */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { pollUntil } from '../../common/poll.ts';
import { isPreparedHere, readCitus, recoverTransactions } from './citus.ts';
import type { Session } from './session.ts';

interface SettleOptions {
  readonly retryLimitMs: number;
  readonly signal?: AbortSignal;
}

/** Citus does so by itself once a minute, even if the user lacks the privilege. */
const leastLimitMs = 90_000;

/**
 * Resolves when every committed row is visible, and no uncommitted one holds a lock.
 * @throws TargetError when a node does not
 * answer in time
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
      await session.run((client) => recoverTransactions(client, 'all'));
      const look = await session.run(listPrepared);
      away = look.away.join(', ');
      if (look.away.length > 0) return undefined;
      // Later ones belong to active transactions.
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
    fix: nodeAwayFix,
    isServerGone: true,
  });
}

export const nodeAwayFix =
  "start the nodes; SELECT run_command_on_all_nodes('SELECT recover_prepared_transactions()') ends what is left; then run the same command again.";

interface Look {
  readonly prepared: readonly string[];
  /** Nodes that do not answer. */
  readonly away: readonly string[];
}

async function listPrepared(client: pg.Client): Promise<Look> {
  const listed = `SELECT coalesce(json_agg(gid), '[]') FROM pg_prepared_xacts WHERE ${isPreparedHere}`;
  const { rows } = await client.query<{ node: string; isThere: boolean; gids: string }>(
    `SELECT nodename || ':' || nodeport AS node, success AS "isThere", result AS gids FROM run_command_on_workers($$${listed}$$)
      UNION ALL SELECT 'the coordinator', true, (${listed})::text`,
  );
  return {
    prepared: rows.flatMap(({ isThere, gids }) => (isThere ? (JSON.parse(gids) as string[]) : [])),
    away: rows.filter(({ isThere }) => !isThere).map(({ node }) => node),
  };
}
