/** The workers that exist: starts, replaces and dismisses them, so that they are as many as the crew is to have. */

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
  /** It is not on the roster any more. */
  onGone(member: Member, exit: Exit): void;
}

export class Roster {
  readonly #options: RosterOptions;
  readonly #watch: HangWatch;
  #members: Member[] = [];
  /** Replacements that wait for their time. */
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

  /** Those that take batches, or will, and are to stay. */
  #staff(isInside: boolean): Member[] {
    return this.#members.filter((member) => member.isInside === isInside && !member.isToLeave);
  }

  /** Brings up who is missing, and lets those leave who are too many. To be called when the crew is another one. */
  fill(crew: Crew): void {
    if (crew.isInside && this.#staff(true).length === 0) this.#spawn(true, crew);
    for (let count = this.#staff(false).length + this.#due.size; count < crew.workers; count++) {
      this.#spawn(false, crew);
    }
    if (!crew.isInside) for (const member of this.#staff(true)) member.drain();
    for (const surplus of this.#staff(false).slice(crew.workers)) surplus.drain();
    for (const member of this.#members) member.resize(crew.connections);
  }

  /** All that the crew is to have are at work, with all their connections. */
  isComplete({ workers, isInside, connections }: Crew): boolean {
    const count = (inside: boolean): number =>
      this.#staff(inside).filter(
        ({ state, openConnections }) => state === 'ready' && openConnections >= connections,
      ).length;
    return count(false) >= workers && (!isInside || count(true) > 0);
  }

  /** Replaces one that is gone. */
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

  /** The first in line who can; who was chosen goes to the end of the line. */
  choose(can: (member: Member) => boolean): Member | undefined {
    const index = this.#members.findIndex(can);
    const member = this.#members[index];
    if (member === undefined) return undefined;
    this.#members.splice(index, 1);
    this.#members.push(member);
    return member;
  }

  /** From now on none is started, and none is killed for a missing heartbeat. */
  close(): void {
    this.#isClosed = true;
    this.#watch.end();
    for (const cancel of this.#due) cancel();
    this.#due.clear();
  }

  /** Lets all finish what they hold and leave; one that is not listening yet has to be told when it is. */
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
