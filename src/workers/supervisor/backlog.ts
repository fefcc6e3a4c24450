/** The un-acked batches of all runs: how many there are, and the queue of those that no worker holds. */

import type { ActiveRun } from './active-run.ts';
import type { InFlight } from './in-flight.ts';

export interface BacklogLimits {
  /** As many as the workers hold, however many these are by now. */
  maxBatches(): number;
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

  /** Batches wait that no worker holds. */
  get isWaiting(): boolean {
    return this.#line.length > 0 || this.#queue.length > 0;
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

  /** What is to be delivered next. */
  get next(): InFlight | undefined {
    return this.#queue[0];
  }

  /** Takes that out of the queue. */
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
    return this.#batches < this.#limits.maxBatches() && this.#bytes + bytes <= this.#limits.maxBytes;
  }
}
