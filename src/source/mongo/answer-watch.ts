/**
 * Cancels commands that the driver would wait for without end. That happens if the driver writes to a socket that is closed
 * but has not yet emitted `close`: it waits for `drain`, which never comes, and ignores both the close and
 * `socketTimeoutMS` (mongodb 7.9). The caller retries a cancelled command.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { MongoClient } from 'mongodb';
import { rethrow } from './raw-errors.ts';

/** Enough time for a reply that is in transit when other connections break. A retry costs one page. */
const graceMs = 2_000;

/** A command was cancelled; it may be retried. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** Node announces each socket there, except with TLS: https://nodejs.org/api/diagnostics_channel.html#tcp-socket */
const socketChannel = 'net.client.socket';

const watches = new WeakMap<MongoClient, AnswerWatch>();

export class AnswerWatch {
  readonly #underWay = new Set<Command>();
  readonly #limitMs: number;

  /** The watch of a client, created on the first call. Call it before the client connects, so that it sees all sockets. */
  static of(client: MongoClient): AnswerWatch {
    const watch = watches.get(client) ?? new AnswerWatch(client);
    watches.set(client, watch);
    return watch;
  }

  private constructor(client: MongoClient) {
    // Twice: the timeout for the reply to begin, and as much for a slow reply. 0 is no limit.
    this.#limitMs = 2 * client.options.socketTimeoutMS;
    // The driver found broken connections to a server. Commands that wait on one of them may never notice.
    const onBreak = (): void => {
      for (const command of this.#underWay) command.endAfter(graceMs, ' after other connections broke');
    };
    client.on('connectionPoolCleared', onBreak);
    // The driver may not notice either that the socket closed on which it waits. If it is one of another server, a retry costs
    // a page.
    const onSocket = (message: unknown): void => {
      (message as { readonly socket: Socket }).socket.once('close', onBreak);
    };
    subscribe(socketChannel, onSocket);
    client.once('topologyClosed', () => unsubscribe(socketChannel, onSocket));
  }

  /**
   * @param run must end when the signal is aborted
   * @throws NoAnswerError, DriverFaultError, and what `run` throws
   */
  async guard<T>(run: (options: { signal: AbortSignal }) => Promise<T>): Promise<T> {
    const command = new Command();
    this.#underWay.add(command);
    if (this.#limitMs > 0) command.endAfter(this.#limitMs);
    try {
      return await run({ signal: command.signal });
    } catch (error) {
      rethrow(error);
    } finally {
      this.#underWay.delete(command);
      command.settle();
    }
  }
}

class Command {
  readonly #controller = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  endAfter(limitMs: number, since = ''): void {
    const end = (): void => {
      this.#controller.abort(new NoAnswerError(`no answer within ${limitMs / 1000} s${since}`));
    };
    this.#timers.push(setTimeout(end, limitMs));
  }

  settle(): void {
    this.#timers.forEach(clearTimeout);
  }
}
