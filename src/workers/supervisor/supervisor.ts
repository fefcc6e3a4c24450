/**
 * The supervisor: all policy about workers, runs and batches, and nothing about how a worker runs or what it does. A `Sizing`
 * decides how many workers there are; a `Roster` lists them.
 *
 * A worker:  spawned ──→ listening ──begin()──→ starting ──→ ready ──stop()──→ draining ──→ gone
 *                                                  ↑__begin()__|
 *            (gone may come from any state; a gone worker is replaced unless it was asked to exit)
 * A run:     begin() ──→ active ──drain()──→ all settled ──end()──→ over
 *                          └── a failure of its own: over as well, until end() rejecting every call
 * A batch:   submit() ──→ queued ──→ held by one worker ──ack──→ settled
 *                           ↑___________ worker gone, ack lost __|
 * Invariants
 * - an un-acked batch is in exactly one place: the queue, or the `held` map of exactly one worker that is not gone;
 * - a batch is settled once: an ack for a delivery that its sender does not hold is counted as unmatched and not applied;
 * - batches of all runs are accepted in the order of their submit calls: a small one does not overtake a large one;
 * - a worker holds at most one batch more than it has connections, and together the un-acked batches of all runs have at
 *   most `maxInFlightBytes` bytes, or are a single batch;
 * - a batch goes only to a worker that has answered the start of every run, so that a worker that dies was killed by one of its
 *   batches, or from outside;
 * - when a worker dies, the batches that it held become suspects. A suspect is on trial alone: its worker holds nothing else, no other
 *   suspect is on trial, and no worker has died for a while. If its worker dies, and no other at nearly the same time, the batch is bisected, down
 *   to a document. That becomes a dead letter after a second such death;
 * - a run that is over does not affect others: its batches are not accepted or dispatched, and acks for them are ignored; a
 *   worker that does not answer for such a batch in time is killed;
 * - after a failure of the workers, nothing is dispatched, and every call that waits is rejected with the first error.
 */

import { fromWireError, toWireError, type MigrationError } from '../../common/errors.ts';
import type { Batch } from '../../source/page.ts';
import type { ActiveRun } from './active-run.ts';
import { WorkerDeaths, type Course } from './worker-deaths.ts';
import { Announcements } from '../../common/announcements.ts';
import type { Clock } from '../../common/clock.ts';
import type { Sizing } from './crew.ts';
import { Dispatch } from './dispatch.ts';
import { InFlight } from './in-flight.ts';
import { Inbox } from './inbox.ts';
import type { PoolListener, RunListener } from '../../observe/run-listener.ts';
import type { Pools } from '../pool/create-pool.ts';
import { Roster } from './roster.ts';
import type { RunHandle } from './run-handle.ts';
import { Runs } from './runs.ts';
import { Staffing } from './staffing.ts';
import { assumedDocumentBytes } from './workload.ts';
import type { WorkerSettings, WorkerTarget } from '../../postgres/worker-settings.ts';

export interface SupervisorOptions {
  readonly pools: Pools;
  readonly clock: Clock;
  readonly sizing: Sizing;
  /** Workers connect to this as soon as they listen, if no run has begun by then. */
  readonly target?: WorkerTarget;
  readonly maxInFlightBytes: number;
  /** A worker that sends no heartbeat for so long is killed and replaced. */
  readonly hangTimeoutMs: number;
  readonly listener: PoolListener;
  /** Aborted when the user asks to stop. */
  readonly signal?: AbortSignal;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #deaths: WorkerDeaths;
  readonly #inbox: Inbox;
  readonly #roster: Roster;
  readonly #staffing: Staffing;
  readonly #runs: Runs;
  readonly #dispatch: Dispatch;
  readonly #course: Course = { isStopping: false, isKilling: false, failure: undefined };
  readonly #changes = new Announcements();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { pools, clock, sizing, maxInFlightBytes, hangTimeoutMs } = options;
    this.#roster = new Roster({
      ...{ pools, clock, hangTimeoutMs },
      onMessage: (member, message) => {
        try {
          if (member.state !== 'gone') this.#inbox.receive(member, message);
          this.#dispatch.handOut();
        } catch (error) {
          // An exception here would be uncaught. An invalid message fails the workers instead.
          this.#fail(fromWireError(toWireError(error)));
        }
        this.#changes.announce();
      },
      onGone: (member, exit) => {
        this.#deaths.handle(member, exit);
        this.#changes.announce();
      },
    });
    this.#dispatch = new Dispatch({
      ...{ clock, roster: this.#roster, maxBytes: maxInFlightBytes },
      maxBatches: () => this.#staffing.credit,
      isCalm: () => this.#deaths.isCalm,
    });
    this.#runs = new Runs({ clock, roster: this.#roster, dispatch: this.#dispatch });
    this.#staffing = new Staffing({
      ...{ clock, sizing, roster: this.#roster },
      runs: this.#runs,
      isWaiting: () => this.#dispatch.isWaiting,
      onGrown: () => {
        this.#dispatch.handOut();
        this.#changes.announce();
      },
    });
    const shared = {
      ...{
        clock,
        dispatch: this.#dispatch,
        runs: this.#runs,
        staffing: this.#staffing,
        course: this.#course,
      },
      listener: options.listener,
      fail: (error: MigrationError) => {
        this.#fail(error);
      },
    };
    this.#deaths = new WorkerDeaths({ ...shared, roster: this.#roster, signal: options.signal });
    this.#inbox = new Inbox({ ...shared, target: options.target, deaths: this.#deaths });
  }

  /** Number of workers, including those being replaced; at least one. */
  get size(): number {
    return this.#staffing.size;
  }

  /** Per worker. */
  get connections(): number {
    return this.#options.sizing.crew.connections;
  }

  /** The reason for their number, for messages; null if it was set by the user. */
  get explanation(): string | null {
    return this.#options.sizing.explain();
  }

  get liveWorkers(): number {
    return this.#roster.members.length;
  }

  get workerIds(): string[] {
    return this.#roster.members.map((member) => member.worker.id);
  }

  /** Batches of all runs that are submitted and not settled. */
  get inFlight(): { readonly batches: number; readonly bytes: number } {
    return this.#dispatch.inFlight;
  }

  /** Whether the workers have failed, so that no run can be begun. */
  get hasFailed(): boolean {
    return this.#course.failure !== undefined;
  }

  /** Peak memory of each worker in bytes, including those that are gone. */
  get peakMemoryBytes(): number[] {
    return this.#inbox.peakMemoryBytes;
  }

  /** Starts the workers that are needed in any case, while the plan is still being made. */
  spawn(): void {
    this.#staffing.begin();
  }

  /**
   * The approximate number of documents of the next run, so that workers can be started early.
   * @param bytesPerDocument see `Workload.expect`
   */
  expect(documents: number, bytesPerDocument?: number): void {
    this.#staffing.expect(documents, bytesPerDocument);
  }

  /**
   * Gives the workers the settings of a run; each takes batches as soon as it is ready. Any number of runs can be active; the limit on batches in flight is for all together.
   */
  begin(settings: WorkerSettings, ...listeners: readonly RunListener[]): RunHandle {
    const run = this.#runs.begin(settings, listeners);
    return {
      expect: (documents) => {
        run.expectedDocuments = documents;
        this.expect(documents, assumedDocumentBytes);
      },
      submit: (batch) => this.#submit(run, batch),
      drain: () => this.#until(run, () => run.unsettled === 0),
      end: () => {
        this.#runs.end(run);
        this.#changes.announce();
      },
      get unmatchedAcks() {
        return run.unmatchedAcks;
      },
    };
  }

  /** Lets the workers finish their batches and exit; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#close();
    this.#roster.drain();
    await this.#until(null, () => this.#roster.members.length === 0);
  }

  /**
   * Kills all workers at once, even with batches in flight; resolves when all are gone.
   * @param why reported as the reason of each death; without it, the deaths are expected and not reported
   */
  async kill(why?: string): Promise<void> {
    this.#close();
    this.#course.isKilling = true;
    this.#roster.kill(why);
    await this.#changes.until(() => this.#roster.members.length === 0);
  }

  #close(): void {
    this.#course.isStopping = true;
    this.#staffing.end();
    this.#roster.close();
  }

  async #submit(run: ActiveRun, batch: Batch): Promise<void> {
    // The line was cleared of the run when it failed. A page that a reader submits later would block the batches of all other runs.
    if (run.failure !== undefined) throw run.failure;
    const entry = new InFlight(run, batch);
    this.#dispatch.queueUp(entry);
    this.#staffing.submit(run, batch);
    await this.#until(run, () => {
      if (!this.#dispatch.takeOn(entry)) return false;
      // The next batch in line may have checked for capacity before.
      this.#changes.announce();
      return true;
    });
  }

  #fail(error: MigrationError): void {
    this.#course.failure ??= error;
    this.#staffing.end();
    this.#dispatch.halt();
  }

  /** @throws the first error of the run or of the workers */
  #until(run: ActiveRun | null, isTrue: () => boolean): Promise<void> {
    return this.#changes.until(() => {
      const failure = run?.failure ?? this.#course.failure;
      if (failure !== undefined) throw failure;
      return isTrue();
    });
  }
}
