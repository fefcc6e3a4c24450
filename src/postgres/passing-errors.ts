/** Tells which errors of Postgres and its connections pass by themselves, and which are about one row. */

import pg from 'pg';
import { isPassingSocketError } from '../socket-errors.ts';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const lostConnectionCodes = new Set([
  '57P01', // admin_shutdown: a fast restart, or pg_terminate_backend
  '57P02', // crash_shutdown: another process of the server crashed
  '57P03', // cannot_connect_now: starting up or shutting down
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
  '53300', // too_many_connections: the old ones of a restart may still be there
]);

/** A server that answers so is there, and between its end and its start. */
const restartCodes = ['57P01', '57P02', '57P03'];

const passingCodes = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '57014', // query_canceled: by a person or by a statement_timeout of the role
]);

/** The connection is of no more use; a new one may work. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    return lostConnectionCodes.has(error.code ?? '') || error.code?.startsWith('08') === true;
  }
  if (isPassingSocketError(error)) return true;
  // pg itself has no codes for these.
  return error instanceof Error && /Connection terminated|not queryable|timeout expired/.test(error.message);
}

/** For the first connection, when anything else may be a wrong URL: there is a server, and it ends or starts. */
export function isRestarting(error: unknown): boolean {
  return error instanceof pg.DatabaseError && restartCodes.includes(error.code ?? '');
}

/** The same work may succeed a moment later. */
export function isPassing(error: unknown): boolean {
  return isConnectionLost(error) || (error instanceof pg.DatabaseError && passingCodes.has(error.code ?? ''));
}

/**
 * Postgres will not take a row, whatever is tried: data exceptions (22), constraints (23), views with a check (44),
 * limits of the program such as the size of an index entry (54), and what triggers and functions raise (P0, 38, 39,
 * 2F, 0A). A full disk (53) or a missing right (42) is about all rows.
 */
const refusalClasses = ['0A', '21', '22', '23', '2F', '38', '39', '44', '54', 'P0'] as const;

export function isRefusal(error: unknown): error is pg.DatabaseError {
  if (!(error instanceof pg.DatabaseError)) return false;
  return refusalClasses.some((prefix) => error.code?.startsWith(prefix) === true);
}

/** The same, as a condition of plpgsql on SQLSTATE. */
export const isRefusalSql = `left(SQLSTATE, 2) IN (${refusalClasses.map((prefix) => `'${prefix}'`).join(', ')})`;
