/**
 * A connection to Postgres that reconnects: work that fails because the connection broke is repeated on a new one. Concurrent
 * calls are executed one after the other, so that no call runs in the transaction of another.
 */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { retry } from '../../common/retry.ts';
import {
  closePostgres,
  connectPostgres,
  describePostgres,
  explainDatabaseError,
  explainPostgresError,
  type Connection,
} from './connection.ts';
import { nameOfHost } from './host-sessions.ts';
import { isConnectionLost, isTransient, isRestarting } from './transient-errors.ts';

export interface SessionOptions {
  readonly url: string;
  readonly applicationName: string;
  /** The host that owns the session, with several hosts: others can end the session when that host is gone. */
  readonly hostId?: string | undefined;
  /** How long to retry once the server cannot be reached. */
  readonly retryLimitMs: number;
  /** A server that sends no answer for so long counts as gone, except during long work. */
  readonly answerTimeoutMs: number;
  /** See `ConnectOptions`. */
  readonly isPipelined?: boolean;
  /** Prepares a new connection, the first one and every later one. */
  onConnect?(client: pg.Client): Promise<void>;
  /** Called when the connection broke, before reconnecting. */
  onLost?(reason: string): void;
  /** Aborting it stops the retries, but not a running query. */
  readonly signal?: AbortSignal;
  /** Aborting it breaks the connection at once, even in the middle of a query. There is no reconnect. */
  readonly killSignal?: AbortSignal;
}

/**
 * Opens a session for `work`, and closes it afterwards, also after an error.
 * @param firstConnection see `Session.open` @throws
 * TargetError with a fix, else what `work` throws
 */
export async function withSession<T>(
  options: SessionOptions,
  work: (session: Session) => Promise<T>,
  firstConnection: 'once' | 'retry' = 'once',
): Promise<T> {
  const session = await Session.open(options, firstConnection);
  try {
    return await work(session);
  } catch (error) {
    throw explainDatabaseError(error, options.url);
  } finally {
    await session.close();
  }
}

export class Session {
  readonly #options: SessionOptions;
  #connection: Connection | undefined;
  /** Resolves when all earlier calls are done. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The broken connection before this one. Its server process may keep locks until the server notices. */
  #previous: Connection | undefined;

  private constructor(options: SessionOptions) {
    this.#options = options;
  }

  /**
   * Connects; errors in the URL appear here.
   * @param firstConnection `once` if an error more likely means a wrong URL: then only a server that reports that it starts up or shuts down is retried; `retry` if the server is known to exist
   * @throws TargetError with a fix
   */
  static async open(options: SessionOptions, firstConnection: 'once' | 'retry' = 'once'): Promise<Session> {
    const session = new Session(options);
    try {
      if (firstConnection === 'once') await session.#connectFirst();
      else await session.run(() => Promise.resolve());
    } catch (error) {
      throw explainPostgresError(error, options.url);
    }
    return session;
  }

  /**
   * Does `work`, and repeats all of it after a lost connection or another transient error. `work` must be repeatable: what it committed before the error stays committed. It must not call the session itself, which would deadlock.
   * @param duration `long` for work that may take hours, such as building an index: a second connection then checks whether the server is still working
   * @throws TargetError when the server cannot be reached, else what `work` throws, with the errors of pg
   */
  run<T>(work: (client: pg.Client) => Promise<T>, duration: 'short' | 'long' = 'short'): Promise<T> {
    const done = this.#turn.then(() => this.#run(work, duration));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #run<T>(work: (client: pg.Client) => Promise<T>, duration: 'short' | 'long'): Promise<T> {
    const { url, retryLimitMs: limitMs } = this.#options;
    try {
      return await this.#retry(() => this.#attempt(work, duration), isTransient);
    } catch (error) {
      if (!isTransient(error)) throw error;
      const seconds = Math.round(limitMs / 1000);
      throw new TargetError(
        `PostgreSQL at ${describePostgres(url)} kept failing for ${seconds} s: ${explainPostgresError(error, url).message}`,
        {
          code: 'POSTGRES_GIVEN_UP',
          fix: 'check the server; raise RETRY_SECONDS if it needs more time.',
          isServerGone: true,
          cause: error,
        },
      );
    }
  }

  /** `run` without a retry. @throws what `work` throws, also if the connection is lost */
  runOnce<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const done = this.#turn.then(() => this.#runOnce(work));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #runOnce<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const hadConnection = this.#connection !== undefined;
    try {
      return await this.#attempt(work, 'short');
    } catch (error) {
      // The next call makes a new connection, without reporting a loss.
      if (hadConnection && isConnectionLost(error)) this.#reportLost(error);
      throw error;
    }
  }

  /** `run` in one transaction; a failure of `work` rolls it back. */
  async transaction<T>(
    work: (client: pg.Client) => Promise<T>,
    duration: 'short' | 'long' = 'short',
  ): Promise<T> {
    return await this.run((client) => inTransaction(client, work), duration);
  }

  /** `transaction` for work that sends `BEGIN` itself, in one query with its first statement. */
  async transactionBegunBy<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return await this.run((client) => endTransaction(client, work));
  }

  /** The id of the server's process, for cancelling its query. */
  get pid(): number | undefined {
    return this.#connection?.pid;
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) await closePostgres(connection);
  }

  /** A server that reported a restart may then be unreachable for a while. */
  async #connectFirst(): Promise<void> {
    let isThere = false;
    await this.#retry(
      () => this.#connect(),
      (error) => {
        isThere ||= isRestarting(error);
        return isThere && isTransient(error);
      },
    );
  }

  #retry<T>(work: () => Promise<T>, passes: (error: unknown) => boolean): Promise<T> {
    const { retryLimitMs: limitMs, killSignal, signal = killSignal } = this.#options;
    return retry(work, {
      limitMs,
      isTransient: passes,
      onRetry: (error, attempt) => {
        if (attempt === 1) this.#reportLost(error);
      },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #reportLost(error: unknown): void {
    this.#options.onLost?.(error instanceof Error ? error.message : String(error));
  }

  async #attempt<T>(work: (client: pg.Client) => Promise<T>, duration: 'short' | 'long'): Promise<T> {
    const connection = this.#connection ?? (await this.#connect());
    try {
      return await this.#watch(connection, work(connection.client), duration);
    } catch (error) {
      if (isConnectionLost(error)) this.#discard(connection);
      throw error;
    }
  }

  /** Breaks the connection when the server does not answer for too long; `work` then fails as with any lost connection. */
  async #watch<T>(connection: Connection, work: Promise<T>, duration: 'short' | 'long'): Promise<T> {
    const { url, answerTimeoutMs } = this.#options;
    let isOver = false;
    let timer: NodeJS.Timeout | undefined;
    const look = async (): Promise<void> => {
      if (duration === 'long' && (await isAtWork(url, connection))) {
        if (!isOver) timer = setTimeout(() => void look(), answerTimeoutMs);
      } else if (!isOver) {
        connection.socket.destroy();
      }
    };
    timer = setTimeout(() => void look(), answerTimeoutMs);
    try {
      return await work;
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }

  #discard(connection: Connection): void {
    connection.socket.destroy();
    this.#previous = connection;
    this.#connection = undefined;
  }

  async #connect(): Promise<Connection> {
    const { url, applicationName, hostId, killSignal, isPipelined = false } = this.#options;
    const name = hostId === undefined ? applicationName : nameOfHost(applicationName, hostId);
    const connection = await connectPostgres(url, name, { killSignal, isPipelined });
    try {
      await this.#watch(connection, this.#prepare(connection.client), 'short');
    } catch (error) {
      connection.socket.destroy();
      throw error;
    }
    this.#connection = connection;
    return connection;
  }

  async #prepare(client: pg.Client): Promise<void> {
    await this.#endPrevious(client);
    await this.#options.onConnect?.(client);
  }

  /** After a connection that stopped answering, its server process may still hold the transaction open, and its locks. */
  async #endPrevious(client: pg.Client): Promise<void> {
    const former = this.#previous;
    if (former === undefined) return;
    await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
      [former.pid, former.startedAt],
    );
    this.#previous = undefined;
  }
}

/** Runs `work` in one transaction, which an error rolls back. */
export async function inTransaction<T>(
  client: pg.Client,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  await client.query('BEGIN');
  return await endTransaction(client, work);
}

async function endTransaction<T>(client: pg.Client, work: (client: pg.Client) => Promise<T>): Promise<T> {
  try {
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    if (!isConnectionLost(error)) await client.query('ROLLBACK');
    throw error;
  }
}

/** Uses a second connection, since the first gives no answer while a query runs, or if the network is cut. */
async function isAtWork(url: string, { pid, startedAt }: Connection): Promise<boolean> {
  try {
    const probe = await connectPostgres(url, 'mongo2pg probe');
    try {
      const { rowCount } = await probe.client.query(
        // With track_activities off, the state is not shown: then it may be working.
        "SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2 AND state IN ('active', 'disabled')",
        [pid, startedAt],
      );
      return rowCount === 1;
    } finally {
      await closePostgres(probe);
    }
  } catch {
    // Unknown: the connection may be fine, and is kept.
    return true;
  }
}
