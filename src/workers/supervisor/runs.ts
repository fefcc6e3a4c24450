/** The active runs: starts them on workers, and ends them. */

import type { Clock } from '../../common/clock.ts';
import { ExitCode, MigrationError } from '../../common/errors.ts';
import type { Ack } from '../../observe/ack.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import type { WorkerSettings } from '../../postgres/worker-settings.ts';
import type { Batch } from '../../source/page.ts';
import { ActiveRun } from './active-run.ts';
import type { Dispatch } from './dispatch.ts';
import type { Member } from './member.ts';
import type { Roster } from './roster.ts';

/** A batch of a run that is over may occupy a worker for at most this long. */
const overdueMs = 10_000;

export interface RunsOptions {
  readonly clock: Clock;
  readonly roster: Roster;
  readonly dispatch: Dispatch;
}

export class Runs {
  readonly #options: RunsOptions;
  /** By number. */
  readonly #runs = new Map<number, ActiveRun>();
  #begun = 0;

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  get(id: number): ActiveRun | undefined {
    return this.#runs.get(id);
  }

  [Symbol.iterator](): IterableIterator<ActiveRun> {
    return this.#runs.values();
  }

  /** Starts it on the workers. */
  begin(settings: WorkerSettings, listeners: readonly RunListener[]): ActiveRun {
    const run = new ActiveRun(++this.#begun, settings, listeners);
    this.#runs.set(run.id, run);
    for (const member of this.#options.roster.members) if (member.canReceive) member.start(run);
    return run;
  }

  /** Starts all runs on a worker that has begun to listen. @returns false if there are none */
  startOn(member: Member): boolean {
    for (const run of this.#runs.values()) member.start(run);
    return this.#runs.size > 0;
  }

  end(run: ActiveRun): void {
    if (!this.#runs.delete(run.id)) return;
    this.giveUp(run, new MigrationError(ExitCode.internal, 'the run has ended', { code: 'INTERNAL' }));
    for (const member of this.#options.roster.members) {
      if (member.canReceive) member.worker.send({ kind: 'end', run: run.id });
    }
  }

  /** Fails a run: every call that waits for it is rejected. */
  giveUp(run: ActiveRun, error: MigrationError): void {
    if (run.isOver) return;
    run.isOver = true;
    run.failure = error;
    const { roster, dispatch, clock } = this.#options;
    dispatch.drop(run);
    if (!roster.members.some((member) => member.holdsBatchOf(run))) return;
    clock.after(overdueMs, () => {
      for (const member of roster.members) {
        if (!member.holdsBatchOf(run)) continue;
        member.killedFor = 'held a batch of a run that is over for too long and was killed';
        member.worker.kill();
      }
    });
  }

  notifyAck(run: ActiveRun, workerId: string, ack: Ack, settled: readonly Batch[]): void {
    if (!run.isOver) run.notifyAck(workerId, ack, settled);
    for (const other of this.#runs.values()) if (other !== run) other.notifyAckOfOther(workerId, ack);
  }

  notifyGone(workerId: string): void {
    for (const run of this.#runs.values()) run.notifyGone(workerId);
  }
}
