/**
 * Sends the latest state to whoever watches, as server-sent events. One that reads slowly misses states in between: nothing
 * is queued for it beyond one, and nobody waits for it.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

import type { ServerResponse } from 'node:http';
import type { Clock } from '../../common/clock.ts';

export const maxWatchers = 50;

/** As often as a person can read. */
const sendEveryMs = 1_000;

/** The last state is waited for no longer than this. */
const endLimitMs = 500;

interface Watcher {
  readonly response: ServerResponse;
  /** What it was sent last is still on its way. */
  isBusy: boolean;
  /** There was something to send meanwhile. */
  isBehind: boolean;
}

export class Broadcast {
  readonly #clock: Clock;
  readonly #read: () => string;
  readonly #watchers = new Set<Watcher>();
  #callOff: () => void = () => undefined;

  /** @param read the state as one line; called only when somebody watches */
  constructor(clock: Clock, read: () => string) {
    this.#clock = clock;
    this.#read = read;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** @param response whose head is written */
  add(response: ServerResponse): void {
    const watcher: Watcher = { response, isBusy: false, isBehind: false };
    this.#watchers.add(watcher);
    response.on('drain', () => {
      watcher.isBusy = false;
      if (watcher.isBehind) this.#send(watcher, this.#read());
    });
    response.on('close', () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#callOff();
    });
    // A connection that breaks is closed.
    response.on('error', () => undefined);
    this.#send(watcher, this.#read());
    if (this.#watchers.size === 1) this.#sendLater();
  }

  /** Sends the last state, and ends. One that does not take it in time is dropped. */
  async end(): Promise<void> {
    this.#callOff();
    const responses = [...this.#watchers].map(({ response }) => response);
    if (responses.length === 0) return;
    const last = `event: end\ndata: ${this.#read()}\n\n`;
    const taken = responses.map(
      (response) =>
        new Promise<void>((resolve) => {
          response.once('close', resolve).end(last);
        }),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, endLimitMs);
    });
    await Promise.race([Promise.all(taken), late]);
    clearTimeout(timer);
    for (const response of responses) response.destroy();
  }

  #sendLater(): void {
    this.#callOff = this.#clock.after(sendEveryMs, () => {
      const state = this.#read();
      for (const watcher of this.#watchers) this.#send(watcher, state);
      this.#sendLater();
    });
  }

  #send(watcher: Watcher, state: string): void {
    watcher.isBehind = watcher.isBusy;
    if (watcher.isBusy) return;
    watcher.isBusy = !watcher.response.write(`data: ${state}\n\n`);
  }
}
