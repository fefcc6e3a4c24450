/** Runs a statement that may take long, and cancels it when the user interrupts the command. */

import type pg from 'pg';
import { closePostgres, connectPostgres } from './connection.ts';
import type { Session } from './session.ts';

/** @param how whether `work` is one transaction @throws the signal's reason when it was aborted */
export async function runCancellable(
  session: Session,
  url: string,
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<void>,
  how: 'run' | 'transaction' = 'run',
): Promise<void> {
  signal.throwIfAborted();
  let cancelling: Promise<void> | undefined;
  const onAbort = (): void => {
    cancelling = cancel(url, session.pid);
  };
  signal.addEventListener('abort', onAbort);
  try {
    await session[how](work, 'long');
  } finally {
    signal.removeEventListener('abort', onAbort);
    await cancelling;
  }
  signal.throwIfAborted();
}

/** A request to cancel may arrive too late, or not at all. The caller then waits for the statement to end. */
async function cancel(url: string, pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  try {
    const connection = await connectPostgres(url, 'mongo2pg cancel');
    try {
      await connection.client.query('SELECT pg_cancel_backend($1)', [pid]);
    } finally {
      await closePostgres(connection);
    }
  } catch {
    return;
  }
}
