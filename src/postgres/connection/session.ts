/**
 * A connection to Postgres that reconnects: work that fails because the connection broke is repeated on a new one. Concurrent
 * calls are executed one after the other, so that none is in the transaction of another.
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
  /** Of several hosts, the one whose session it is: it can be ended from elsewhere when that is gone. */
  readonly hostId?: string | undefined;
  /** How long to keep trying once the server is gone. */
  readonly retryLimitMs: number;
  /** A server that is silent for so long in the middle of work counts as gone, unless the work is a long one. */
  readonly answerTimeoutMs: number;
  /** Prepares a new connection, the first one and every later one. */
  onConnect?(client: pg.Client): Promise<void>;
  /** The connection broke, and another one is being made. */
  onLost?(reason: string): void;
  /** Aborting it ends the retries, but not work that is under way. */
  readonly signal?: AbortSignal;
  /** Aborting it breaks the connection at once, whatever is under way. It is not made again. */
  readonly killSignal?: AbortSignal;
}

/**
 * Opens a session for `work`, and closes it whichever way that went.
 * @param firstConnection see `Session.open`
 * @throws TargetError that says what to do, else what `work` throws
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
  /** Resolves when the work before is done. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The broken one before: its process may hang on to locks until the server notices. */
  #former: Connection | undefined;

  private constructor(options: SessionOptions) {
    this.#options = options;
  }

  /**
   * Connects: what is wrong with the URL shows here.
   * @param firstConnection `once` where a server that does not answer is more likely a wrong URL: only one that says
   *   that it ends or starts is waited for; `retry` where a server is known to be there
   * @throws TargetError that says what to do
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
   * Does `work`, and repeats all of it after a lost connection or another transient error. `work` must tolerate that: what it
   * committed before the error stays committed. It must not call the session itself, which would wait for it forever.
   * @param duration `long` for what may take hours, such as an index: the server is then asked, on a connection beside,
   *   whether it is at it
   * @throws TargetError when the server stays away, else what `work` throws, with errors of Postgres as they are
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

  /** `run` without a retry. @throws whatever `work` fails with, a lost connection too */
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
      // What comes next makes a new connection, and has nothing to tell.
      if (hadConnection && isConnectionLost(error)) this.#tellLost(error);
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

  /** `transaction` of work that says `BEGIN` itself, in one query with what comes next. */
  async transactionBegunBy<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return await this.run((client) => endTransaction(client, work));
  }

  /** The id of the server's process, for cancelling what it does. */
  get pid(): number | undefined {
    return this.#connection?.pid;
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) await closePostgres(connection);
  }

  /** A server that has said that it restarts may then be unreachable for a while. */
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
        if (attempt === 1) this.#tellLost(error);
      },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #tellLost(error: unknown): void {
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

  /** Breaks the connection when the server is silent for too long; `work` then fails like after any break. */
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
    this.#former = connection;
    this.#connection = undefined;
  }

  async #connect(): Promise<Connection> {
    const { url, applicationName, hostId, killSignal } = this.#options;
    const name = hostId === undefined ? applicationName : nameOfHost(applicationName, hostId);
    const connection = await connectPostgres(url, name, killSignal);
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
    await this.#endFormer(client);
    await this.#options.onConnect?.(client);
  }

  /** A connection that went silent leaves a process behind that holds its transaction open, and so its locks. */
  async #endFormer(client: pg.Client): Promise<void> {
    const former = this.#former;
    if (former === undefined) return;
    await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
      [former.pid, former.startedAt],
    );
    this.#former = undefined;
  }
}

/** Does `work` in one transaction, which a failure rolls back. */
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

/** Asks on a connection of its own, as the one in question may be silent for having no answer yet, or for being cut. */
async function isAtWork(url: string, { pid, startedAt }: Connection): Promise<boolean> {
  try {
    const probe = await connectPostgres(url, 'mongo2pg probe');
    try {
      const { rowCount } = await probe.client.query(
        // What it is at is hidden where somebody has set track_activities to off: then it may be at work.
        "SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2 AND state IN ('active', 'disabled')",
        [pid, startedAt],
      );
      return rowCount === 1;
    } finally {
      await closePostgres(probe);
    }
  } catch {
    // It is not known, so that a connection that may be fine is kept.
    return true;
  }
}
