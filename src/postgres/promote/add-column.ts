/** Adds a column to a table that is in use, without blocking other sessions for long. */

import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { Plan, PlanColumn } from '../../transcode/plan.ts';
import { qualifiedName } from '../connection/relations.ts';
import type { Session } from '../connection/session.ts';
import { addColumnStatement } from '../table/ddl.ts';

const lockNotAvailable = '55P03';
const duplicateColumn = '42701';

/** Other sessions queue behind a statement that waits for its lock. So it waits at most this long, and is then retried. */
const lockTimeout = '500ms';
const pauseMs = 500;
const maxAttempts = 20;

/**
 * @param also work for the same transaction
 * @throws TargetError if other sessions keep the table locked for too long
 */
export async function addColumn(
  session: Session,
  plan: Plan,
  column: PlanColumn,
  also: (client: pg.Client) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const isDone = await session.transaction(async (client) => {
      await client.query(`SET LOCAL lock_timeout = '${lockTimeout}'; SAVEPOINT adding`);
      try {
        await client.query(addColumnStatement(plan, column));
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        if (error.code === duplicateColumn) throw columnTaken(plan, column, error);
        if (error.code !== lockNotAvailable) throw error;
        await client.query('ROLLBACK TO SAVEPOINT adding');
        return false;
      }
      await client.query('SET LOCAL lock_timeout = 0');
      await also(client);
      return true;
    });
    if (isDone) return;
    if (attempt === maxAttempts) {
      throw new TargetError(
        `other sessions keep the table ${qualifiedName(plan)} locked, so that no column can be added`,
        {
          code: 'TABLE_LOCKED',
          fix: 'pg_locks and pg_stat_activity show who has a transaction open on it; run the same command again once it has ended.',
        },
      );
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

export function columnTaken(plan: Plan, { column, field }: PlanColumn, cause?: unknown): TargetError {
  return new TargetError(
    `the table ${qualifiedName(plan)} already has a column ${pg.escapeIdentifier(column)}`,
    {
      code: 'COLUMN_TAKEN',
      fix: `give the field ${JSON.stringify(field)} another column with --column.`,
      cause,
    },
  );
}
