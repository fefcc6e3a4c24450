/**
 * The supervisor: all policy about workers, runs and batches, and nothing about how a worker runs or what it does. Who is
 * to work a `Sizing` decides, by what was seen; who is there a `Roster` knows.
 *
 * A worker:  spawned ──→ listening ──begin()──→ starting ──→ ready ──stop()──→ draining ──→ gone
 *                                                  ↑__begin()__|
 *            (gone may come from any state; a gone worker is replaced unless it was told to leave)
 * A run:     begin() ──→ active ──drain()──→ all settled ──end()──→ over
 *                          └── a failure of its own: over as well, until end() rejecting every call
 * A batch:   submit() ──→ queued ──→ held by one worker ──ack──→ settled
 *                           ↑___________ worker gone, ack lost __|
 * Invariants
 * - an un-acked batch is in exactly one place: the queue, or the `held` map of exactly one worker that is not gone;
 * - a batch is settled once: an ack for a delivery that its sender does not hold is counted as unmatched and not applied;
 * - batches of all runs are taken on in the order of their submit calls, however many wait: none overtakes one that is
 *   larger;
 * - a worker holds at most one batch more than it has connections, and together the un-acked batches of all runs have at
 *   most `maxInFlightBytes` bytes, or are a single batch;
 * - a batch goes to a worker that has answered the start of every run: what ends a worker is one of its batches;
 * - a worker that dies makes suspects of the batches that it held, and a suspect is delivered to a worker that holds
 *   nothing else: whose worker dies then is known for certain, and is split, down to the one document that ends workers,
 *   which becomes a dead letter;
 * - a run that is over takes no other with it: none of its batches is handed out, and nobody hears of those that workers
 *   still hold; one that does not answer for such a batch in time is killed;
 * - after a failure of the workers nothing is handed out, and every call that waits is rejected with the first failure.
 */

import { fromWireError, toWireError, type MigrationError } from '../../common/errors.ts';
import type { Batch } from '../../source/page.ts';
import type { ActiveRun } from './active-run.ts';
import { Burial, type Course } from './burial.ts';
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
import type { WorkerSettings, WorkerTarget } from '../../postgres/worker-settings.ts';

export interface SupervisorOptions {
  readonly pools: Pools;
  readonly clock: Clock;
  readonly sizing: Sizing;
  /** As many documents as a page has at most: what fits into one is little. */
  readonly pageDocuments: number;
  /** Where workers connect to as soon as they listen, should they not have been told what to do by then. */
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
  readonly #burial: Burial;
  readonly #inbox: Inbox;
  readonly #roster: Roster;
  readonly #staffing: Staffing;
  readonly #runs: Runs;
  readonly #dispatch: Dispatch;
  readonly #course: Course = { isStopping: false, isKilling: false, failure: undefined };
  readonly #changes = new Announcements();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { pools, clock, sizing, pageDocuments, maxInFlightBytes, hangTimeoutMs } = options;
    this.#roster = new Roster({
      ...{ pools, clock, hangTimeoutMs },
      onMessage: (member, message) => {
        try {
          if (member.state !== 'gone') this.#inbox.receive(member, message);
          this.#dispatch.handOut();
        } catch (error) {
          // Nobody is there to catch it, and a message that makes no sense must not be the end of the accounts.
          this.#fail(fromWireError(toWireError(error)));
        }
        this.#changes.announce();
      },
      onGone: (member, exit) => {
        this.#burial.bury(member, exit);
        this.#changes.announce();
      },
    });
    this.#dispatch = new Dispatch({
      ...{ clock, roster: this.#roster, maxBytes: maxInFlightBytes },
      maxBatches: () => this.#staffing.credit,
    });
    this.#runs = new Runs({ clock, roster: this.#roster, dispatch: this.#dispatch });
    this.#staffing = new Staffing({
      ...{ clock, sizing, pageDocuments, roster: this.#roster },
      runs: this.#runs,
      isWaiting: () => this.#dispatch.isWaiting,
      onGrown: () => {
        this.#dispatch.handOut();
        this.#changes.announce();
      },
    });
    const shared = {
      ...{ dispatch: this.#dispatch, runs: this.#runs, staffing: this.#staffing, course: this.#course },
      listener: options.listener,
      fail: (error: MigrationError) => {
        this.#fail(error);
      },
    };
    this.#burial = new Burial({ ...shared, roster: this.#roster, signal: options.signal });
    this.#inbox = new Inbox({ ...shared, clock, target: options.target, burial: this.#burial });
  }

  /** How many workers there are, or are to be again; at least one. */
  get size(): number {
    return this.#staffing.size;
  }

  /** Of each worker. */
  get connections(): number {
    return this.#options.sizing.crew.connections;
  }

  /** Why there are so many, for people; null where they have said it themselves. */
  get explanation(): string | null {
    return this.#options.sizing.explain();
  }

  get liveWorkers(): number {
    return this.#roster.members.length;
  }

  get workerIds(): string[] {
    return this.#roster.members.map((member) => member.worker.id);
  }

  /** What is submitted and not settled, of all runs. */
  get inFlight(): { readonly batches: number; readonly bytes: number } {
    return this.#dispatch.inFlight;
  }

  /** The workers cannot go on: no run can be begun. */
  get hasFailed(): boolean {
    return this.#course.failure !== undefined;
  }

  /** The most memory that each worker has had, in bytes, the ones that are gone among them. */
  get peakMemoryBytes(): number[] {
    return this.#inbox.peakMemoryBytes;
  }

  /** Spawns whom there are to be in any case: they come up while it is still being found out what they are for. */
  spawn(): void {
    this.#staffing.begin();
  }

  /** About so many documents are to be done in a run to come: who is to do it can come up meanwhile. */
  expect(documents: number): void {
    this.#staffing.expect(documents);
  }

  /**
   * Gives the workers the settings of a run; each takes batches as soon as it is ready, and none waits for the others.
   * Any number of runs may be under way; what bounds batches in flight bounds those of all together.
   */
  begin(settings: WorkerSettings, ...listeners: readonly RunListener[]): RunHandle {
    const run = this.#runs.begin(settings, listeners);
    return {
      expect: (documents) => {
        run.expectedDocuments = documents;
        this.expect(documents);
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

  /** Lets the workers finish what they hold and leave by themselves; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#close();
    this.#roster.drain();
    await this.#until(null, () => this.#roster.members.length === 0);
  }

  /**
   * Ends every worker at once, whatever it holds; resolves when all are gone. For a run that has failed.
   * @param why it is told as the death of each, for people; else it is what was to come, and nobody hears of it
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
    const entry = new InFlight(run, batch);
    this.#dispatch.queueUp(entry);
    this.#staffing.submit(run, batch);
    await this.#until(run, () => {
      if (!this.#dispatch.takeOn(entry)) return false;
      // The next in line may have looked before.
      this.#changes.announce();
      return true;
    });
  }

  #fail(error: MigrationError): void {
    this.#course.failure ??= error;
    this.#staffing.end();
    this.#dispatch.halt();
  }

  /** @throws the first failure of the run or of the workers */
  #until(run: ActiveRun | null, isTrue: () => boolean): Promise<void> {
    return this.#changes.until(() => {
      const failure = run?.failure ?? this.#course.failure;
      if (failure !== undefined) throw failure;
      return isTrue();
    });
  }
}
