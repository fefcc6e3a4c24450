/** Tells which errors of Postgres and its connections are transient, and which are about one row. */

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

/** A server that answers so is there, and between its end and its start. */
const restartCodes = ['57P01', '57P02', '57P03'];

const transientCodes = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '57014', // query_canceled: by a person or by a statement_timeout of the role
]);

/** The connection is broken. A new one may work. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    const { code = '' } = error;
    return lostConnectionCodes.has(code) || code.startsWith('08') || isNodeLost(error);
  }
  if (isTransientSocketError(error)) return true;
  // pg itself has no codes for these.
  return error instanceof Error && /Connection terminated|not queryable|timeout expired/.test(error.message);
}

/**
 * Where in Citus it is told that a node's connection broke, under the SQLSTATE of an internal error, or of one of files in the
 * middle of a COPY. The coordinator's own connection is well; a new one has it end what the node has left prepared.
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

/** For the first connection, where other errors may mean a wrong URL: a server answers, and is starting or shutting down. */
export function isRestarting(error: unknown): boolean {
  return error instanceof pg.DatabaseError && restartCodes.includes(error.code ?? '');
}

/** The same work may succeed a moment later. */
export function isTransient(error: unknown): boolean {
  return (
    isConnectionLost(error) || (error instanceof pg.DatabaseError && transientCodes.has(error.code ?? ''))
  );
}

/**
 * Postgres will not take a row, whatever is tried: data exceptions (22), constraints (23), views with a check (44),
 * limits of the program such as the size of an index entry (54), and what triggers and functions raise (P0, 38, 39,
 * 2F, 09, 27, 0A). A full disk (53) or a missing right (42) is about all rows.
 */
const refusalClasses = ['09', '0A', '21', '22', '23', '27', '2F', '38', '39', '44', '54', 'P0'] as const;

/** Those that Postgres has itself. Any other, such as 45, is of somebody's own making: a function raises it at a row. */
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
 * Where in Postgres an error arises that is about a row whatever its SQLSTATE is: the check of a policy of row level security
 * (42501, like a right that is missing), and RAISE. Names of C functions are in no language, as messages are.
 */
const refusalRoutines = ['ExecWithCheckOptions', 'exec_stmt_raise'];

/** By its SQLSTATE alone. */
function isRefusalCode(code: string): boolean {
  const prefix = code.slice(0, 2);
  const isOfSomebody = prefix !== '' && !postgresClasses.includes(prefix);
  return isOfSomebody || refusalClasses.some((known) => known === prefix);
}

/**
 * The server's own trouble: a full disk, memory, an operator's hand, files, a bug. A function that caught it and raises it
 * again has not made it one about a row.
 */
const serverClasses = ['53', '57', '58', 'XX'];

/** Of no row, or of all: but this one was raised, or checked, at a row. */
export function isRefusalByRoutine({ code = '', routine = '' }: pg.DatabaseError): boolean {
  if (transientCodes.has(code) || lostConnectionCodes.has(code)) return false;
  return refusalRoutines.includes(routine) && !serverClasses.includes(code.slice(0, 2));
}

export function isRefusal(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && (isRefusalCode(error.code ?? '') || isRefusalByRoutine(error));
}

/**
 * A node of Citus has refused a row of a COPY. The coordinator passes on what the node said, but its SQLSTATE: what that was, a
 * statement tells.
 */
export function isShardRefusal(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && error.code === 'XX000' && error.routine === 'ReportCopyError';
}

const listed = (classes: readonly string[]): string => classes.map((prefix) => `'${prefix}'`).join(', ');

/** The same by SQLSTATE alone, as a condition of plpgsql: it is not told the routine. */
export const isRefusalSql = `(left(SQLSTATE, 2) IN (${listed(refusalClasses)}) OR left(SQLSTATE, 2) NOT IN (${listed(postgresClasses)}))`;
