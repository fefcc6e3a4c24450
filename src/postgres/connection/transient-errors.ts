/** Classifies errors of Postgres: transient ones, and those about one row. */

import pg from 'pg';
import { isTransientSocketError } from '../../common/socket-errors.ts';

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

/** Sent by a server that shuts down or starts up. */
const restartCodes = ['57P01', '57P02', '57P03'];

const transientCodes = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '57014', // query_canceled: by a person or by a statement_timeout of the role
]);

/** The connection is lost; a new one may work. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    const { code = '' } = error;
    return lostConnectionCodes.has(code) || code.startsWith('08') || isNodeLost(error);
  }
  if (isTransientSocketError(error)) return true;
  // pg has no codes for these.
  return error instanceof Error && /Connection terminated|not queryable|timeout expired/.test(error.message);
}

/**
 * Routines in which Citus reports a lost connection to a node, with the SQLSTATE of an internal error, or of a file error in the
 * middle of a COPY. Our connection to the coordinator still works; a new one makes it complete the node's prepared transactions.
 */
const lostNodeRoutines = [
  ...['MarkRemoteTransactionFailed', 'CheckRemoteTransactionsHealth', 'ReportResultError'],
  ...[
    'FinishRemoteTransactionPrepare',
    'SendCopyDataToPlacement',
    'EndRemoteCopy',
    'InitializeCopyShardState',
  ],
];

function isNodeLost({ code, routine = '' }: pg.DatabaseError): boolean {
  if (code === '58030') return routine === 'ReportCopyError' || lostNodeRoutines.includes(routine);
  return code === 'XX000' && lostNodeRoutines.includes(routine);
}

/** For the first connection, when other errors may mean a wrong URL: the server answers that it is starting up or shutting down. */
export function isRestarting(error: unknown): boolean {
  return error instanceof pg.DatabaseError && restartCodes.includes(error.code ?? '');
}

/** The same work may succeed when it is retried. */
export function isTransient(error: unknown): boolean {
  return (
    isConnectionLost(error) || (error instanceof pg.DatabaseError && transientCodes.has(error.code ?? ''))
  );
}

/**
 * Classes of errors by which Postgres rejects a row permanently: data exceptions (22), constraints (23), views with a check (44),
 * program limits such as the size of an index entry (54), and what triggers and functions raise (P0, 38, 39, 2F, 09, 27, 0A). A
 * full disk (53) or a missing privilege (42) concerns all rows.
 */
const refusalClasses = ['09', '0A', '21', '22', '23', '27', '2F', '38', '39', '44', '54', 'P0'] as const;

/** Classes that Postgres itself uses. Any other, such as 45, is raised by a user-defined function for a row. */
const postgresClasses = [
  ...[
    '00',
    '01',
    '02',
    '03',
    '08',
    '09',
    '0A',
    '0B',
    '0F',
    '0L',
    '0P',
    '0Z',
    '10',
    '20',
    '21',
    '22',
    '23',
    '24',
  ],
  ...[
    '25',
    '26',
    '27',
    '28',
    '2B',
    '2D',
    '2F',
    '34',
    '38',
    '39',
    '3B',
    '3D',
    '3F',
    '40',
    '42',
    '44',
    '53',
    '54',
  ],
  ...['55', '57', '58', '72', 'F0', 'HV', 'P0', 'XX'],
];

/**
 * Routines of Postgres whose errors concern a row, whatever their SQLSTATE: the check of a row-level security policy (42501, like a
 * missing privilege), and RAISE. Unlike messages, names of C functions are not translated.
 */
const refusalRoutines = ['ExecWithCheckOptions', 'exec_stmt_raise'];

/** By SQLSTATE only. */
function isRefusalCode(code: string): boolean {
  const prefix = code.slice(0, 2);
  const isUserDefined = prefix !== '' && !postgresClasses.includes(prefix);
  return isUserDefined || refusalClasses.some((known) => known === prefix);
}

/**
 * Problems of the server itself: disk, memory, operator intervention, files, internal errors. They do not become row errors when a
 * function catches and raises them again.
 */
const serverClasses = ['53', '57', '58', 'XX'];

/** The SQLSTATE is not about a row, but the error was raised or checked for one. */
export function isRefusalByRoutine({ code = '', routine = '' }: pg.DatabaseError): boolean {
  if (transientCodes.has(code) || lostConnectionCodes.has(code)) return false;
  return refusalRoutines.includes(routine) && !serverClasses.includes(code.slice(0, 2));
}

export function isRefusal(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && (isRefusalCode(error.code ?? '') || isRefusalByRoutine(error));
}

/**
 * A node of Citus has rejected a row of a COPY. The coordinator passes on the message without its SQLSTATE; only an INSERT shows
 * it.
 */
export function isShardRefusal(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && error.code === 'XX000' && error.routine === 'ReportCopyError';
}

const listed = (classes: readonly string[]): string => classes.map((prefix) => `'${prefix}'`).join(', ');

/** The same by SQLSTATE only, as a condition in PL/pgSQL, which does not know the routine. */
export const isRefusalSql = `(left(SQLSTATE, 2) IN (${listed(refusalClasses)}) OR left(SQLSTATE, 2) NOT IN (${listed(postgresClasses)}))`;
