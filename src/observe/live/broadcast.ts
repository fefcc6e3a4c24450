/**
 * Sends the latest state to all watchers, as server-sent events. A slow watcher misses intermediate states: at most one
 * state is queued for it, and nothing waits for it.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

import type { ServerResponse } from 'node:http';
import type { Clock } from '../../common/clock.ts';

export const maxWatchers = 50;

/** As often as people can read. */
const sendEveryMs = 1_000;

/** How long to wait until watchers have received the last state. */
const endLimitMs = 500;

interface Watcher {
  readonly response: ServerResponse;
  /** The last state is still being sent. */
  isBusy: boolean;
  /** The state has changed meanwhile. */
  isBehind: boolean;
}

export class Broadcast {
  readonly #clock: Clock;
  readonly #read: () => string;
  readonly #watchers = new Set<Watcher>();
  #cancel: () => void = () => undefined;

  /** @param read returns the state as one line; called only if there are watchers */
  constructor(clock: Clock, read: () => string) {
    this.#clock = clock;
    this.#read = read;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** @param response its headers are already sent */
  add(response: ServerResponse): void {
    const watcher: Watcher = { response, isBusy: false, isBehind: false };
    this.#watchers.add(watcher);
    response.on('drain', () => {
      watcher.isBusy = false;
      if (watcher.isBehind) this.#send(watcher, this.#read());
    });
    response.on('close', () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#cancel();
    });
    // A broken connection is closed as well, and `close` removes the watcher.
    response.on('error', () => undefined);
    this.#send(watcher, this.#read());
    if (this.#watchers.size === 1) this.#sendLater();
  }

  /** Sends the last state, and ends. A watcher that does not receive it in time is disconnected. */
  async end(): Promise<void> {
    this.#cancel();
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
    this.#cancel = this.#clock.after(sendEveryMs, () => {
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
