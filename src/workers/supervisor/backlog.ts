/** The un-acked batches of all runs: how many there are, and the queue of those that no worker holds. */

import type { ActiveRun } from './active-run.ts';
import type { InFlight } from './in-flight.ts';

export interface BacklogLimits {
  readonly maxBatches: number;
  readonly maxBytes: number;
}

export class Backlog {
  readonly #limits: BacklogLimits;
  /** Those that wait for room. */
  #line: InFlight[] = [];
  #queue: InFlight[] = [];
  #batches = 0;
  #bytes = 0;

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  /** What is submitted and not settled. */
  get size(): { readonly batches: number; readonly bytes: number } {
    return { batches: this.#batches, bytes: this.#bytes };
  }

  get isEmpty(): boolean {
    return this.#batches === 0;
  }

  /** To be called for each batch before `add`: they are added in this order, and none overtakes one that is larger. */
  queueUp(entry: InFlight): void {
    this.#line.push(entry);
  }

  /** A single batch always has room, however large it is. @returns false as long as it is not its turn, or has no room */
  add(entry: InFlight): boolean {
    if (this.#line[0] !== entry || !this.#hasRoomFor(entry)) return false;
    this.#line.shift();
    this.#batches++;
    this.#bytes += entry.bytes;
    this.#queue.push(entry);
    return true;
  }

  /** Takes out of the queue what is to be delivered next. */
  take(): InFlight | undefined {
    return this.#queue.shift();
  }

  /** Before anything newer: the oldest un-acked batch holds back the end of the run. */
  putBack(...entries: readonly InFlight[]): void {
    this.#queue.unshift(...entries);
  }

  /** Forgets what no worker holds of a run that is over. */
  drop(run: ActiveRun): void {
    this.#line = this.#line.filter((entry) => entry.run !== run);
    const dropped = this.#queue.filter((entry) => entry.run === run);
    this.#queue = this.#queue.filter((entry) => entry.run !== run);
    for (const entry of dropped) this.remove(entry);
  }

  /** All of it is settled, or nobody waits for it any more. */
  remove(entry: InFlight): void {
    this.#batches--;
    this.#bytes -= entry.bytes;
  }

  #hasRoomFor({ bytes }: InFlight): boolean {
    if (this.isEmpty) return true;
    return this.#batches < this.#limits.maxBatches && this.#bytes + bytes <= this.#limits.maxBytes;
  }
}
