/** The un-acked batches: how many there are, and the queue of those that no worker holds. */

import type { InFlight } from './in-flight.ts';

export interface BacklogLimits {
  readonly maxBatches: number;
  readonly maxBytes: number;
}

export class Backlog {
  readonly #limits: BacklogLimits;
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

  /** A single batch always has room, however large it is. */
  hasRoomFor(bytes: number): boolean {
    if (this.isEmpty) return true;
    return this.#batches < this.#limits.maxBatches && this.#bytes + bytes <= this.#limits.maxBytes;
  }

  add(entry: InFlight): void {
    this.#batches++;
    this.#bytes += entry.bytes;
    this.#queue.push(entry);
  }

  /** Takes out of the queue what is to be delivered next. */
  take(): InFlight | undefined {
    return this.#queue.shift();
  }

  /** Before anything newer: the oldest un-acked batch holds back the end of the run. */
  putBack(...entries: readonly InFlight[]): void {
    this.#queue.unshift(...entries);
  }

  /** All of it is settled. */
  remove(entry: InFlight): void {
    this.#batches--;
    this.#bytes -= entry.bytes;
  }
}
