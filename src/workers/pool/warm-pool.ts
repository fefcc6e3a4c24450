/**
 * A pool that starts its first workers before they are requested: a process takes as long to start as the primary takes to load its
 * modules and to connect to both sides. Otherwise a core would be idle meanwhile.
 */

import { availableParallelism } from 'node:os';
import type { Config } from '../../config/config.ts';
import type { Pool, PoolWorker, WorkerEvents } from './pool.ts';
import { createPools, type Pools } from './create-pool.ts';

export class WarmPool implements Pool {
  readonly isBeside: boolean;
  readonly #pool: Pool;
  readonly #waiting: WaitingWorker[];

  /** @param count of workers to start at once */
  constructor(pool: Pool, count: number) {
    this.#pool = pool;
    this.isBeside = pool.isBeside;
    this.#waiting = Array.from({ length: count }, () => new WaitingWorker(pool));
  }

  spawn(events: WorkerEvents): PoolWorker {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return this.#pool.spawn(events);
    waiting.assign(events);
    return waiting.worker;
  }

  /** Stops unused workers; resolves when they are gone. */
  async close(): Promise<void> {
    await Promise.all(this.#waiting.splice(0).map((waiting) => waiting.end()));
  }
}

/** Buffers its messages until it is used. */
class WaitingWorker {
  readonly worker: PoolWorker;
  assign!: (events: WorkerEvents) => void;
  readonly #isGone: Promise<void>;

  constructor(pool: Pool) {
    const assigned = new Promise<WorkerEvents>((resolve) => (this.assign = resolve));
    let goes: () => void = () => undefined;
    this.#isGone = new Promise((resolve) => (goes = resolve));
    this.worker = pool.spawn({
      // In the order in which they arrived.
      onMessage: (message) => {
        void assigned.then((events) => {
          events.onMessage(message);
        });
      },
      onGone: (exit) => {
        goes();
        void assigned.then((events) => {
          events.onGone(exit);
        });
      },
    });
  }

  async end(): Promise<void> {
    this.worker.kill();
    await this.#isGone;
  }
}

export interface WarmPools extends Pools {
  /** Stops unused workers; resolves when they are gone. */
  close(): Promise<void>;
}

/** If workers run apart from the primary, and their number is fixed, starts up to one per core now. */
export async function warmUp({
  clusterImplementation,
  clusterSize,
}: Pick<Config, 'clusterImplementation' | 'clusterSize'>): Promise<WarmPools> {
  const { beside, inside } = await createPools(clusterImplementation);
  const isSaid = beside.isBeside && clusterSize !== 'auto';
  const pool = new WarmPool(beside, isSaid ? Math.min(clusterSize, availableParallelism()) : 0);
  return { beside: pool, inside, close: () => pool.close() };
}
