/**
 * Ends commands that the driver would wait for without end. It does so when it writes to a socket that is closed and has
 * not said so yet: it waits for the socket to drain, which never comes, and hears neither its end nor `socketTimeoutMS`
 * (mongodb 7.9). What is ended here was asked for by a reader, and is asked for again.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { MongoClient } from 'mongodb';
import { rethrow } from './raw-errors.ts';

/** An answer that is on its way when other connections break is here by then; asking again costs one page. */
const graceMs = 2_000;

/** A command was given up; it may be given again. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** Node tells there of each socket, TLS excepted: https://nodejs.org/api/diagnostics_channel.html#tcp-socket */
const socketChannel = 'net.client.socket';

const watches = new WeakMap<MongoClient, AnswerWatch>();

export class AnswerWatch {
  readonly #underWay = new Set<Command>();
  readonly #limitMs: number;

  /** The one of a client, whose collections share it. Asked for before the client connects, it sees its sockets close. */
  static of(client: MongoClient): AnswerWatch {
    const watch = watches.get(client) ?? new AnswerWatch(client);
    watches.set(client, watch);
    return watch;
  }

  private constructor(client: MongoClient) {
    // Silence until the answer begins, and as long again for one that comes slowly; 0 is for ever.
    this.#limitMs = 2 * client.options.socketTimeoutMS;
    // The driver found connections to a server broken: what waits for one of them may never hear of it.
    const onBreak = (): void => {
      for (const command of this.#underWay) command.endAfter(graceMs, ' after other connections broke');
    };
    client.on('connectionPoolCleared', onBreak);
    // Nor may the driver itself, of the one socket that it waits for; a socket of another server costs a page at most.
    const onSocket = (message: unknown): void => {
      (message as { readonly socket: Socket }).socket.once('close', onBreak);
    };
    subscribe(socketChannel, onSocket);
    client.once('topologyClosed', () => unsubscribe(socketChannel, onSocket));
  }

  /**
   * @param run to be ended by the signal
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
