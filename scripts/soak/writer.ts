/** Changes documents while they are followed. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Collection } from 'mongodb';
import type { Random } from '../../src/common/random.ts';

export interface Thing {
  readonly _id: number;
  readonly text: string;
  readonly n: number;
}

/** Writes also during faults of the server. */
export class Writer {
  readonly #write: () => Promise<void>;
  #isStopping = false;
  /** Fulfilled when it may continue. */
  #rest: Promise<unknown> = Promise.resolve();
  #isWriting = Promise.resolve();
  written = 0;

  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  stop(): void {
    this.#isStopping = true;
  }

  async run(): Promise<void> {
    while (!this.#mustStop()) {
      await this.#rest;
      this.#isWriting = this.#attempt();
      await this.#isWriting;
    }
  }

  /** Writes nothing while something else is done. */
  async restDuring(work: () => Promise<void>): Promise<void> {
    const working = this.#isWriting.then(work);
    // The caller handles its error.
    this.#rest = working.catch(() => undefined);
    await working;
  }

  async #attempt(): Promise<void> {
    try {
      await this.#write();
      this.written++;
    } catch {
      // The final state of MongoDB counts, and not which writes were acknowledged.
      await delay(100);
    }
  }

  #mustStop(): boolean {
    return this.#isStopping;
  }
}

/** Inserts, updates, replaces and deletes. */
export async function changeThings(
  collection: Collection<Thing>,
  random: Random,
  ids: { next: number },
): Promise<void> {
  const _id = random.below(ids.next);
  const n = random.below(1_000_000);
  switch (random.below(5)) {
    case 0:
      await collection.insertOne({ _id: ids.next++, text: `new ${n}`, n });
      return;
    case 1:
      await collection.deleteOne({ _id });
      return;
    case 2:
      await collection.replaceOne({ _id }, { text: `replaced ${n}`, n });
      return;
    default:
      await collection.updateOne({ _id }, { $set: { n } });
  }
}
