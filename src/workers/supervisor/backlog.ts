/** The un-acked batches of all runs: their number, and the queue of those that no worker holds. */

import type { ActiveRun } from './active-run.ts';
import type { InFlight } from './in-flight.ts';

export interface BacklogLimits {
  /** As many as the present workers hold. */
  maxBatches(): number;
  readonly maxBytes: number;
}

export class Backlog {
  readonly #limits: BacklogLimits;
  /** Batches that wait for capacity. */
  #line: InFlight[] = [];
  #queue: InFlight[] = [];
  #batches = 0;
  #bytes = 0;

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  /** Batches that are submitted and not settled. */
  get size(): { readonly batches: number; readonly bytes: number } {
    return { batches: this.#batches, bytes: this.#bytes };
  }

  /** Whether batches wait that no worker holds. */
  get isWaiting(): boolean {
    return this.#line.length > 0 || this.#queue.length > 0;
  }

  get isEmpty(): boolean {
    return this.#batches === 0;
  }

  /**
   * To be called for each batch before `add`. Batches are added in this order, so that a small one does not overtake a large one.
   */
  queueUp(entry: InFlight): void {
    this.#line.push(entry);
  }

  /** A single batch is always accepted, however large it is. @returns false while it is not its turn, or there is no capacity */
  add(entry: InFlight): boolean {
    if (this.#line[0] !== entry || !this.#hasRoomFor(entry)) return false;
    this.#line.shift();
    this.#batches++;
    this.#bytes += entry.bytes;
    this.#queue.push(entry);
    return true;
  }

  /** The next batch to deliver. @param may whether it may be delivered now */
  next(may: (entry: InFlight) => boolean): InFlight | undefined {
    return this.#queue.find(may);
  }

  /** Removes it from the queue. */
  take(entry: InFlight): void {
    this.#queue.splice(this.#queue.indexOf(entry), 1);
  }

  /** At the front of the queue, since the oldest un-acked batch delays the end of the run. */
  putBack(...entries: readonly InFlight[]): void {
    this.#queue.unshift(...entries);
  }

  /** Drops queued batches of a run that is over. */
  drop(run: ActiveRun): void {
    this.#line = this.#line.filter((entry) => entry.run !== run);
    const dropped = this.#queue.filter((entry) => entry.run === run);
    this.#queue = this.#queue.filter((entry) => entry.run !== run);
    for (const entry of dropped) this.remove(entry);
  }

  /** To be called when all of it is settled, or its run is over. */
  remove(entry: InFlight): void {
    this.#batches--;
    this.#bytes -= entry.bytes;
  }

  #hasRoomFor({ bytes }: InFlight): boolean {
    if (this.isEmpty) return true;
    return this.#batches < this.#limits.maxBatches() && this.#bytes + bytes <= this.#limits.maxBytes;
  }
}
