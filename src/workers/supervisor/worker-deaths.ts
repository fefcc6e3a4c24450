/** Handles a worker that is gone: it is replaced, its batches are redelivered, and the one to blame is split or put aside. */

import { stopSignals, type MigrationError } from '../../common/errors.ts';
import type { Clock } from '../../common/clock.ts';
import type { PoolListener } from '../../observe/run-listener.ts';
import type { Exit } from '../pool/pool.ts';
import type { ActiveRun } from './active-run.ts';
import type { Dispatch } from './dispatch.ts';
import { DeathAnalysis } from './death-analysis.ts';
import { Incident, type Accusation } from './incident.ts';
import type { Member } from './member.ts';
import type { Roster } from './roster.ts';
import type { Runs } from './runs.ts';
import type { Staffing } from './staffing.ts';

/** Whether the workers are stopping. */
export interface Course {
  /** Workers are not replaced any more. */
  isStopping: boolean;
  /** All workers are being killed, so that deaths are expected. */
  isKilling: boolean;
  /** The error that makes all workers unusable. */
  failure: MigrationError | undefined;
}

export interface WorkerDeathsOptions {
  readonly clock: Clock;
  readonly roster: Roster;
  readonly dispatch: Dispatch;
  readonly runs: Runs;
  readonly staffing: Staffing;
  readonly course: Readonly<Course>;
  readonly listener: PoolListener;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal | undefined;
  /** Called when no worker can continue. */
  readonly fail: (error: MigrationError) => void;
}

export class WorkerDeaths {
  readonly #options: WorkerDeathsOptions;
  readonly #analysis = new DeathAnalysis();
  readonly #incident: Incident;

  constructor(options: WorkerDeathsOptions) {
    this.#options = options;
    this.#incident = new Incident(options.clock, (accusation) => {
      if (accusation !== undefined) this.#blame(accusation);
      options.dispatch.handOut();
    });
  }

  /** Whether no worker has died for a while, so that the next death would be caused by what that worker holds. */
  get isCalm(): boolean {
    return !this.#incident.isUnderWay;
  }

  /** To be called when a batch of the run was acked. */
  recover(run: ActiveRun): void {
    this.#analysis.recover(run);
  }

  /** To be called once the member is removed from the roster. */
  handle(member: Member, exit: Exit): void {
    const { staffing, runs, dispatch, roster, course, listener, fail } = this.#options;
    const hasBegun = member.state === 'ready' || member.state === 'draining' || member.held.size > 0;
    const { isExiting } = member;
    const isExpected = member.state === 'draining' && member.held.size === 0 && exit.code === 0;
    member.state = 'gone';
    staffing.hearGone(member);
    runs.notifyGone(member.worker.id);
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
    const { poisonedRun, failure, backOffMs } = this.#analysis.find({ id, how, hasBegun, entries });
    const accused = entries.find(({ isSuspect }) => isSuspect);
    this.#incident.record(accused && { entry: accused, how });
    for (const entry of entries) entry.isSuspect = true;
    if (poisonedRun !== null) runs.giveUp(poisonedRun.run, poisonedRun.failure);
    if (failure !== null) fail(failure);
    const isReplaced = failure === null && !course.isStopping && !isExiting;
    listener.onDeath?.({ id, how, isReplaced });
    if (isReplaced) staffing.replace(member, backOffMs);
    dispatch.handOut();
  }

  #blame({ entry, how }: Accusation): void {
    const { course, listener } = this.#options;
    if (entry.run.isOver || course.failure !== undefined) return;
    const consequence = entry.blame(how);
    if (consequence !== null) listener.onNotice?.(consequence);
  }

  /** On an interruption, the signal goes to all processes of the group. It ended a worker that did not ignore it yet. */
  #isCalledOff({ signal }: Exit): boolean {
    const isAsked = this.#options.signal?.aborted === true;
    return isAsked && stopSignals.some((name) => name === signal);
  }
}
