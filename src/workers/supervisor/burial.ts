/** Handles a worker that is gone: its batches are redelivered, the batch to blame is found, and the worker is replaced. */

import { stopSignals, type MigrationError } from '../../common/errors.ts';
import type { PoolListener } from '../../observe/run-listener.ts';
import type { Exit } from '../pool/pool.ts';
import type { ActiveRun } from './active-run.ts';
import type { Dispatch } from './dispatch.ts';
import { Inquest } from './inquest.ts';
import type { Member } from './member.ts';
import type { Roster } from './roster.ts';
import type { Runs } from './runs.ts';
import type { Staffing } from './staffing.ts';

/** How far the workers are on their way to their end. */
export interface Course {
  /** Nobody is replaced any more. */
  isStopping: boolean;
  /** All are being killed, so that a death is expected. */
  isKilling: boolean;
  /** The workers cannot go on; why. */
  failure: MigrationError | undefined;
}

export interface BurialOptions {
  readonly roster: Roster;
  readonly dispatch: Dispatch;
  readonly runs: Runs;
  readonly staffing: Staffing;
  readonly course: Readonly<Course>;
  readonly listener: PoolListener;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal | undefined;
  /** The workers cannot go on. */
  readonly fail: (error: MigrationError) => void;
}

export class Burial {
  readonly #options: BurialOptions;
  readonly #inquest = new Inquest();

  constructor(options: BurialOptions) {
    this.#options = options;
  }

  /** A batch of the run was acked. */
  recover(run: ActiveRun): void {
    this.#inquest.recover(run);
  }

  /** The member is not on the roster any more. */
  bury(member: Member, exit: Exit): void {
    const { staffing, runs, dispatch, roster, course, listener, fail } = this.#options;
    const hasBegun = member.state === 'ready' || member.state === 'draining' || member.held.size > 0;
    const { isToLeave } = member;
    const isExpected = member.state === 'draining' && member.held.size === 0 && exit.code === 0;
    member.state = 'gone';
    staffing.hearGone(member);
    runs.tellGone(member.worker.id);
    const entries = member.takeAll();
    dispatch.putBack(entries);
    if (isExpected || course.failure !== undefined) return;
    if (course.isKilling && member.killedFor === undefined) return;
    if (!hasBegun && this.#isCalledOff(exit)) {
      // Batches in flight still need a worker.
      if (roster.members.length === 0 && !course.isStopping) staffing.replace(member, 0);
      return;
    }

    const { id } = member.worker;
    const how = member.describeEnd(exit);
    const found = this.#inquest.find({ id, how, hasBegun, entries });
    const { consequence, deadlyRun, failure, backOffMs } = found;
    if (deadlyRun !== null) runs.giveUp(deadlyRun.run, deadlyRun.failure);
    if (failure !== null) fail(failure);
    const isReplaced = failure === null && !course.isStopping && !isToLeave;
    listener.onDeath?.({ id, how, isReplaced, consequence });
    if (isReplaced) staffing.replace(member, backOffMs);
    dispatch.handOut();
  }

  /** The signal that asked to stop went to all processes, and found one that was not yet able to leave it to the primary. */
  #isCalledOff({ signal }: Exit): boolean {
    const isAsked = this.#options.signal?.aborted === true;
    return isAsked && stopSignals.some((name) => name === signal);
  }
}
