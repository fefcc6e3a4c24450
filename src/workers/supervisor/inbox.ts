/** Handles the messages of workers. `WorkerDeaths` handles workers that are gone. */

import type { Clock } from '../../common/clock.ts';
import { fromWireError, type MigrationError } from '../../common/errors.ts';
import type { PoolListener } from '../../observe/run-listener.ts';
import type { WorkerTarget } from '../../postgres/worker-settings.ts';
import type { FromWorker } from '../protocol.ts';
import type { WorkerDeaths, Course } from './worker-deaths.ts';
import type { Dispatch } from './dispatch.ts';
import type { Member } from './member.ts';
import type { Runs } from './runs.ts';
import type { Staffing } from './staffing.ts';

export interface InboxOptions {
  readonly clock: Clock;
  readonly dispatch: Dispatch;
  readonly runs: Runs;
  readonly staffing: Staffing;
  readonly deaths: WorkerDeaths;
  readonly course: Readonly<Course>;
  /** Workers connect to this as soon as they listen, if no run has begun by then. */
  readonly target: WorkerTarget | undefined;
  readonly listener: PoolListener;
  /** Called when no worker can continue. */
  readonly fail: (error: MigrationError) => void;
}

export class Inbox {
  readonly #options: InboxOptions;
  readonly #peakMemoryById = new Map<string, number>();

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Peak memory of each worker in bytes, including those that are gone. */
  get peakMemoryBytes(): number[] {
    return [...this.#peakMemoryById.values()];
  }

  /** @throws Error for an invalid message */
  receive(member: Member, message: FromWorker): void {
    member.lastHeardMs = this.#options.clock.nowMs();
    switch (message.kind) {
      case 'listening':
        this.#welcome(member);
        return;
      case 'ready':
        member.hasStarted();
        this.#options.runs.get(message.run)?.notifyReady(member.worker.id);
        return;
      case 'ack':
        this.#settle(member, message);
        return;
      case 'alive':
        this.#options.dispatch.putBack(member.takeLost(message.received, message.holding));
        return;
      case 'notice':
        this.#options.listener.onNotice?.(message.message);
        return;
      case 'run-failed':
        this.#hearFailure(member, message);
        return;
      case 'failed':
        this.#options.fail(fromWireError(message.error));
        return;
      case 'crashing':
        member.crashReport = message.error;
        return;
      case 'drained':
        return;
      default:
        message satisfies never;
        throw new Error(`a worker sent an unknown message: ${JSON.stringify(message)}`);
    }
  }

  #welcome(member: Member): void {
    if (member.state === 'spawned') member.state = 'listening';
    const { target } = this.#options;
    if (this.#options.course.isStopping || member.isExiting) {
      member.drain();
      return;
    }
    member.sendConnections();
    if (this.#options.runs.startOn(member)) return;
    if (target !== undefined) member.worker.send({ kind: 'connect', target });
  }

  #settle(member: Member, ack: FromWorker & { kind: 'ack' }): void {
    const entry = member.take(ack.delivery);
    if (entry === undefined) {
      const run = this.#options.runs.get(ack.run);
      if (run !== undefined) run.unmatchedAcks++;
      return;
    }
    this.#peakMemoryById.set(member.worker.id, ack.peakMemoryBytes);
    const { run } = entry;
    this.#options.deaths.recover(run);
    const settled = entry.settle(ack);
    if (entry.isSettled || run.isOver) this.#options.dispatch.forget(entry);
    else this.#options.dispatch.putBack([entry]);
    this.#options.staffing.hearAck(member, ack, settled);
    this.#options.runs.notifyAck(run, member.worker.id, ack, settled);
  }

  #hearFailure(member: Member, message: FromWorker & { kind: 'run-failed' }): void {
    const entry = member.take(message.delivery);
    if (entry === undefined) return;
    this.#options.dispatch.forget(entry);
    this.#options.runs.giveUp(entry.run, fromWireError(message.error));
  }
}
