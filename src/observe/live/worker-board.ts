/** The state of each worker, over all runs. */

import type { Clock } from '../../common/clock.ts';
import type { RunObserver } from '../listeners.ts';
import type { LiveWorker } from './live-state.ts';

/** The window over which the busy share of a worker is computed. */
const windowMs = 10_000;

/** How many dead workers are kept: the latest ones. */
const maxDead = 10;

interface Entry {
  readonly sinceMs: number;
  isDead: boolean;
  batches: number;
  documents: number;
  /** Its work within the window, the oldest first. */
  work: { readonly fromMs: number; readonly toMs: number }[];
}

export class WorkerBoard {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  observe(): RunObserver {
    return {
      onReady: (id) => {
        this.#entryOf(id).isDead = false;
      },
      onAck: (id, { arrival, transcodeMs, loadMs }, settled) => {
        const entry = this.#entryOf(id);
        entry.batches++;
        for (const { documentCount } of settled) entry.documents += documentCount;
        const fromMs = arrival.startedAtMs;
        entry.work.push({ fromMs, toMs: fromMs + transcodeMs + loadMs });
        this.#forget(entry);
      },
    };
  }

  die(id: string): void {
    this.#entryOf(id).isDead = true;
    const dead = [...this.#entries].filter(([, { isDead }]) => isDead).map(([name]) => name);
    for (const name of dead.slice(0, -maxDead)) this.#entries.delete(name);
  }

  /** Live workers first; within both groups, in the order in which they started. */
  read(): LiveWorker[] {
    const nowMs = this.#clock.nowMs();
    const workers = Array.from(this.#entries, ([id, entry]): LiveWorker => {
      this.#forget(entry);
      const { batches, documents, isDead, sinceMs } = entry;
      const fromMs = Math.max(sinceMs, nowMs - windowMs);
      const busyMs = entry.work.reduce((sum, work) => {
        return sum + Math.max(0, Math.min(work.toMs, nowMs) - Math.max(work.fromMs, fromMs));
      }, 0);
      return {
        ...{ id, batches, documents, isAlive: !isDead },
        busyShare: Math.min(1, busyMs / Math.max(1, nowMs - fromMs)),
      };
    });
    return [...workers.filter(({ isAlive }) => isAlive), ...workers.filter(({ isAlive }) => !isAlive)];
  }

  #entryOf(id: string): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry: Entry = {
      ...{ sinceMs: this.#clock.nowMs(), isDead: false, batches: 0, documents: 0, work: [] },
    };
    this.#entries.set(id, entry);
    return entry;
  }

  #forget(entry: Entry): void {
    const fromMs = this.#clock.nowMs() - windowMs;
    entry.work = entry.work.filter(({ toMs }) => toMs > fromMs);
  }
}
