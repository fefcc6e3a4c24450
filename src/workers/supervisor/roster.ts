/** The existing workers: starts, replaces and stops them, so that their number matches the crew. */

import type { Clock } from '../../common/clock.ts';
import type { Crew } from './crew.ts';
import { HangWatch } from './hang-watch.ts';
import { Member } from './member.ts';
import type { Pools } from '../pool/create-pool.ts';
import type { Exit } from '../pool/pool.ts';
import type { FromWorker } from '../protocol.ts';

export interface RosterOptions {
  readonly pools: Pools;
  readonly clock: Clock;
  readonly hangTimeoutMs: number;
  onMessage(member: Member, message: FromWorker): void;
  /** Called after it was removed from the roster. */
  onGone(member: Member, exit: Exit): void;
}

export class Roster {
  readonly #options: RosterOptions;
  readonly #watch: HangWatch;
  #members: Member[] = [];
  /** Replacements that are due later. */
  readonly #due = new Set<() => void>();
  #isClosed = false;

  constructor(options: RosterOptions) {
    this.#options = options;
    this.#watch = new HangWatch({
      clock: options.clock,
      timeoutMs: options.hangTimeoutMs,
      members: () => this.#members.filter(({ isBeside }) => isBeside),
      onHung: ({ worker }) => {
        worker.kill();
      },
    });
    this.#watch.begin();
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Workers that take batches, or will, and were not asked to exit. */
  #staff(isInside: boolean): Member[] {
    return this.#members.filter((member) => member.isInside === isInside && !member.isExiting);
  }

  /** Starts missing workers, and stops surplus ones. To be called when the crew has changed. */
  fill(crew: Crew): void {
    if (crew.isInside && this.#staff(true).length === 0) this.#spawn(true, crew);
    for (let count = this.#staff(false).length + this.#due.size; count < crew.workers; count++) {
      this.#spawn(false, crew);
    }
    if (!crew.isInside) for (const member of this.#staff(true)) member.drain();
    for (const surplus of this.#staff(false).slice(crew.workers)) surplus.drain();
    for (const member of this.#members) member.resize(crew.connections);
  }

  /** Whether all workers of the crew are ready, with all their connections. */
  isComplete({ workers, isInside, connections }: Crew): boolean {
    const count = (inside: boolean): number =>
      this.#staff(inside).filter(
        ({ state, openConnections }) => state === 'ready' && openConnections >= connections,
      ).length;
    return count(false) >= workers && (!isInside || count(true) > 0);
  }

  /** Replaces a worker that is gone. */
  replace({ isInside }: Member, delayMs: number, crew: () => Crew): void {
    if (delayMs === 0) {
      this.#spawn(isInside, crew());
      return;
    }
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#due.delete(cancel);
      this.#spawn(isInside, crew());
    });
    this.#due.add(cancel);
  }

  /** Chooses the first worker that can take a batch, and moves it to the end. */
  choose(can: (member: Member) => boolean): Member | undefined {
    const index = this.#members.findIndex(can);
    const member = this.#members[index];
    if (member === undefined) return undefined;
    this.#members.splice(index, 1);
    this.#members.push(member);
    return member;
  }

  /** From now on, no worker is started, and none is killed for a missing heartbeat. */
  close(): void {
    this.#isClosed = true;
    this.#watch.end();
    for (const cancel of this.#due) cancel();
    this.#due.clear();
  }

  /** Lets all finish their batches and exit. Workers that do not listen yet receive that message once they do. */
  drain(): void {
    for (const member of this.#members) member.drain();
  }

  /** @param why see `Member.killedFor` */
  kill(why?: string): void {
    for (const member of this.#members) {
      member.killedFor = why;
      member.worker.kill();
    }
  }

  #spawn(isInside: boolean, { connections }: Crew): void {
    if (this.#isClosed) return;
    const { pools, clock } = this.#options;
    const pool = isInside ? pools.inside : pools.beside;
    const member = new Member(isInside, pool.isBeside, clock.nowMs());
    member.resize(connections);
    member.worker = pool.spawn({
      onMessage: (message) => {
        this.#options.onMessage(member, message);
      },
      onGone: (exit) => {
        this.#members = this.#members.filter((other) => other !== member);
        this.#options.onGone(member, exit);
      },
    });
    this.#members.push(member);
  }
}
