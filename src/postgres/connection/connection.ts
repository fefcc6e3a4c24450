/** Connects to PostgreSQL, and explains its errors with their fixes. */

import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import pg from 'pg';
import { parse } from 'pg-connection-string';
import { MigrationError, TargetError } from '../../common/errors.ts';
import { reveal, type Url } from '../../config/secret-url.ts';
import { explainTlsError, type TlsWords } from '../../common/tls-errors.ts';
import { inOneTrip } from './one-trip.ts';
import { overruleSettings } from './session-settings.ts';

/** Long enough for a distant server with TLS, short enough to detect a firewall that drops packets. */
const connectTimeoutMs = 15_000;

/** Closing a connection takes one round trip. */
const closeTimeoutMs = 5_000;

/** Probes an idle connection, so that a dead peer is detected in minutes and not in hours. */
const keepAliveAfterMs = 30_000;

const tlsWords: TlsWords = {
  url: 'POSTGRES_URL',
  ca: 'sslrootcert=/path/to/ca.pem',
  certificate: 'sslcert=/path/to/client.pem&sslkey=/path/to/client.key',
  none: 'set sslmode=disable',
};

export interface Connection {
  readonly client: pg.Client;
  /** For closing it at once, even in the middle of a query. */
  readonly socket: Socket;
  /** Identifies the server process together with `startedAt`: process ids are reused. */
  readonly pid: number;
  readonly startedAt: string;
}

export interface ConnectOptions {
  /** Aborting it breaks the connection, even in the middle of a query. */
  readonly killSignal?: AbortSignal | undefined;
  /** Queries are sent without waiting for the answers to those before; see `inOneTrip`. There is no COPY on such a connection. */
  readonly isPipelined?: boolean;
}

/** @throws the errors of pg; `explainPostgresError` explains them */
export async function connectPostgres(
  url: string,
  applicationName: string,
  { killSignal, isPipelined = false }: ConnectOptions = {},
): Promise<Connection> {
  killSignal?.throwIfAborted();
  const socket = new Socket();
  if (killSignal !== undefined) addAbortSignal(killSignal, socket);
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    pipeline: isPipelined,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveAfterMs,
    // pg would create the same socket, but first calls `new Response` to detect a Cloudflare worker. On Node 20 that loads all of
    // fetch, which costs 40 ms of CPU in every worker.
    stream: () => socket,
  });
  // Without a listener, a connection that breaks between two queries would end the process. The next query reports the error.
  client.on('error', () => undefined);
  // pg's own timeout ends with the handshake, but a server can also stop answering after it.
  const timer = setTimeout(() => {
    socket.destroy(new Error('timeout expired'));
  }, connectTimeoutMs);
  try {
    await client.connect();
    const [, , identity] = await inOneTrip(client, overruleSettings, checkClient, identify);
    return { client, socket, ...identity };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Has the server cancel queries of a client that is gone. By default it notices that only when it sends the result. */
async function checkClient(client: pg.Client): Promise<void> {
  try {
    await client.query("SET client_connection_check_interval = '2s'");
  } catch (error) {
    // Not every operating system supports that.
    if (!(error instanceof pg.DatabaseError)) throw error;
  }
}

async function identify(client: pg.Client): Promise<{ pid: number; startedAt: string }> {
  const { rows } = await client.query<{ pid: number; startedAt: string }>(
    'SELECT pid, backend_start::text AS "startedAt" FROM pg_stat_activity WHERE pid = pg_backend_pid()',
  );
  const row = rows[0];
  if (row === undefined) throw new Error('pg_stat_activity does not show its own session');
  return row;
}

/** `host:port/database`: the part of the URL that may be shown. */
export function describePostgres(url: Url): string {
  const { host, port, database } = parse(reveal(url));
  // Parts that the URL omits are empty strings.
  const [shownHost = 'localhost'] = [host].filter((text) => text !== null && text !== '');
  const [shownPort = '5432'] = [port].filter((text) => text !== null && text !== '');
  return `${shownHost}:${shownPort}/${database ?? ''}`;
}

/** Closes a connection, even if it is broken or its server does not answer. */
export async function closePostgres({ client, socket }: Connection): Promise<void> {
  const timer = setTimeout(() => {
    socket.destroy();
  }, closeTimeoutMs);
  try {
    await client.end();
  } catch {
    socket.destroy();
  } finally {
    clearTimeout(timer);
  }
}

export function explainPostgresError(error: unknown, url: Url): MigrationError {
  if (error instanceof MigrationError) return error;
  const where = describePostgres(url);
  const { database, user } = parse(reveal(url));
  const text = firstMessageOf(error);
  const explain = (code: string, message: string, fix: string): TargetError =>
    new TargetError(message, { code, fix, cause: error });
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return explain(
        'POSTGRES_NOT_REACHED',
        `no PostgreSQL answers at ${where}`,
        'start the server, or correct host and port in POSTGRES_URL.',
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return explain(
        'POSTGRES_HOST_UNKNOWN',
        `the host of POSTGRES_URL (${where}) cannot be resolved`,
        'correct the host in POSTGRES_URL.',
      );
    case '28P01':
      return explain(
        'POSTGRES_PASSWORD',
        `PostgreSQL at ${where} refused the password of user "${user ?? ''}"`,
        'correct user and password in POSTGRES_URL; special characters are written percent-encoded.',
      );
    case '28000':
      return explain(
        'POSTGRES_ACCESS',
        `PostgreSQL at ${where} rejected user "${user ?? ''}": ${text}`,
        'correct the user in POSTGRES_URL, add sslmode=require if the server wants TLS, or ask for access in pg_hba.conf.',
      );
    case '3D000':
      return explain(
        'POSTGRES_DATABASE_MISSING',
        `PostgreSQL at ${where.replace(/\/.*/, '')} has no database "${database ?? ''}"`,
        `create it (createdb ${database ?? ''}), or correct the database in POSTGRES_URL.`,
      );
    case '53300':
      return explain(
        'POSTGRES_CONNECTIONS',
        `PostgreSQL at ${where} has no connections left`,
        'lower CLUSTER_SIZE, close other clients, or raise max_connections.',
      );
    case '57014':
      return explain(
        'POSTGRES_CANCELLED',
        `PostgreSQL at ${where} cancelled a statement: ${text}`,
        `if that is a statement_timeout, leave it out of POSTGRES_URL, or have ALTER ROLE ${user ?? '…'} SET statement_timeout = 0.`,
      );
    case '25006':
      return explain(
        'POSTGRES_READ_ONLY',
        `PostgreSQL at ${where} is read-only: ${text}`,
        'give POSTGRES_URL the primary, not a standby.',
      );
    case '42501':
      return explain(
        'POSTGRES_RIGHTS',
        `PostgreSQL at ${where}: ${text}`,
        `grant user "${user ?? ''}" that right, or use another user.`,
      );
    default:
      return explainOther();
  }

  function explainOther(): TargetError {
    const trouble = explainTlsError(text, tlsWords);
    if (trouble !== null) {
      return explain('POSTGRES_TLS', `PostgreSQL at ${where} ${trouble.message}`, trouble.fix);
    }
    // The driver's own limit.
    if (text === 'Query read timeout') {
      return explain(
        'POSTGRES_CANCELLED',
        `PostgreSQL at ${where} has not answered within the query_timeout of POSTGRES_URL`,
        'leave query_timeout out of POSTGRES_URL.',
      );
    }
    if (/timeout/i.test(text)) {
      return explain(
        'POSTGRES_SILENT',
        `PostgreSQL at ${where} does not answer`,
        'check host, port and firewall.',
      );
    }
    return new TargetError(`PostgreSQL at ${where}: ${text}${detailOf(error)}`, {
      code: 'POSTGRES_ERROR',
      cause: error,
    });
  }
}

/** Explains errors of Postgres. @returns other errors unchanged, such as those that are explained already */
export function explainDatabaseError(error: unknown, url: Url): unknown {
  return error instanceof pg.DatabaseError ? explainPostgresError(error, url) : error;
}

export function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

function firstMessageOf(error: unknown): string {
  if (error instanceof AggregateError) return firstMessageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

/** The context of the error; in COPY, "COPY t, line N, column c". */
export function detailOf(error: unknown): string {
  if (!(error instanceof pg.DatabaseError)) return '';
  const parts = [error.code, error.detail, error.where].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : ` (${parts.join('; ').replaceAll('\n', '; ')})`;
}
