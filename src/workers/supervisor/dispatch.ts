/** Dispatches batches to workers: batches in order, workers round-robin. */

import type { Clock } from '../../common/clock.ts';
import type { ActiveRun } from './active-run.ts';
import { Backlog } from './backlog.ts';
import type { InFlight } from './in-flight.ts';
import type { Roster } from './roster.ts';

export interface DispatchOptions {
  readonly clock: Clock;
  readonly roster: Roster;
  /** Maximum number of batches that the workers hold. */
  maxBatches(): number;
  readonly maxBytes: number;
  /** Whether no worker has died for a while. */
  isCalm(): boolean;
}

export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #backlog: Backlog;
  #isHalted = false;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#backlog = new Backlog(options);
  }

  /** Batches of all runs that are submitted and not settled. */
  get inFlight(): { readonly batches: number; readonly bytes: number } {
    return this.#backlog.size;
  }

  /** Whether batches wait that no worker holds. */
  get isWaiting(): boolean {
    return this.#backlog.isWaiting;
  }

  /** To be called for each batch before `takeOn`, which keeps this order. */
  queueUp(entry: InFlight): void {
    this.#backlog.queueUp(entry);
  }

  /** Checks for capacity and takes it synchronously, so that two callers never take the same. @returns false without capacity */
  takeOn(entry: InFlight): boolean {
    if (!this.#backlog.add(entry)) return false;
    entry.run.unsettled++;
    this.handOut();
    return true;
  }

  /**
   * Round-robin over the workers that have credit. A suspect waits until it is calm and no other is on trial; batches behind it go first
   * meanwhile. Then it waits for a worker that holds nothing. Batches behind it wait too, or it might starve.
   */
  handOut(): void {
    if (this.#isHalted) return;
    const { roster, clock } = this.#options;
    for (;;) {
      const canTry = this.#options.isCalm() && !roster.members.some(({ isOnTrial }) => isOnTrial);
      const next = this.#backlog.next(({ isSuspect }) => canTry || !isSuspect);
      if (next === undefined) return;
      const { isSuspect } = next;
      const member = roster.choose(({ isFree, hasCredit }) => (isSuspect ? isFree : hasCredit));
      if (member === undefined) return;
      this.#backlog.take(next);
      member.deliver(next, clock.nowMs());
    }
  }

  /** Requeues the batches of a worker that is gone, except those of runs that are over. */
  putBack(entries: readonly InFlight[]): void {
    for (const entry of entries) if (entry.run.isOver) this.forget(entry);
    this.#backlog.putBack(...entries.filter(({ run }) => !run.isOver));
  }

  /** To be called when it is settled, or its run is over. */
  forget(entry: InFlight): void {
    this.#backlog.remove(entry);
    entry.run.unsettled--;
  }

  /** Drops queued batches of a run that is over. */
  drop(run: ActiveRun): void {
    this.#backlog.drop(run);
  }

  /** Stops dispatching. */
  halt(): void {
    this.#isHalted = true;
  }
}
