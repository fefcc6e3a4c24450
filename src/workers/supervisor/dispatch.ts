/** Which worker gets which batch, and when: batches in their order, workers in turn. */

import type { Clock } from '../../common/clock.ts';
import type { ActiveRun } from './active-run.ts';
import { Backlog } from './backlog.ts';
import type { InFlight } from './in-flight.ts';
import type { Roster } from './roster.ts';

export interface DispatchOptions {
  readonly clock: Clock;
  readonly roster: Roster;
  /** As many batches as the workers hold. */
  maxBatches(): number;
  readonly maxBytes: number;
}

export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #backlog: Backlog;
  #isHalted = false;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#backlog = new Backlog(options);
  }

  /** What is submitted and not settled, of all runs. */
  get inFlight(): { readonly batches: number; readonly bytes: number } {
    return this.#backlog.size;
  }

  /** Batches wait that no worker holds. */
  get isWaiting(): boolean {
    return this.#backlog.isWaiting;
  }

  /** To be called for each batch before `takeOn`, which keeps their order. */
  queueUp(entry: InFlight): void {
    this.#backlog.queueUp(entry);
  }

  /** Looks for room and takes it in one go, so that two that wait never take the same. @returns false without room */
  takeOn(entry: InFlight): boolean {
    if (!this.#backlog.add(entry)) return false;
    entry.run.unsettled++;
    this.handOut();
    return true;
  }

  /**
   * Round-robin over the workers that have credit. A suspect waits for one that holds nothing, and what comes after it
   * waits with it, or it might wait for ever.
   */
  handOut(): void {
    if (this.#isHalted) return;
    const { roster, clock } = this.#options;
    for (let { next } = this.#backlog; next !== undefined; { next } = this.#backlog) {
      const { isSuspect } = next;
      const member = roster.choose(({ isFree, hasCredit }) => (isSuspect ? isFree : hasCredit));
      if (member === undefined) return;
      this.#backlog.take();
      member.deliver(next, clock.nowMs());
    }
  }

  /** What a worker held goes to another one, unless nobody waits for it any more. */
  putBack(entries: readonly InFlight[]): void {
    for (const entry of entries) if (entry.run.isOver) this.forget(entry);
    this.#backlog.putBack(...entries.filter(({ run }) => !run.isOver));
  }

  /** It is settled, or nobody waits for it. */
  forget(entry: InFlight): void {
    this.#backlog.remove(entry);
    entry.run.unsettled--;
  }

  /** Forgets what no worker holds of a run that is over. */
  drop(run: ActiveRun): void {
    this.#backlog.drop(run);
  }

  /** Nothing is handed out any more. */
  halt(): void {
    this.#isHalted = true;
  }
}
