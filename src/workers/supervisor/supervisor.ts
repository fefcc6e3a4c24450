/**
 * The supervisor: all policy about workers, runs and batches, and nothing about how a worker runs or what it does.
 *
 * A worker:  spawned ──→ listening ──begin()──→ starting ──→ ready ──stop()──→ draining ──→ gone
 *                                                  ↑__begin()__|
 *            (gone may come from any state; a gone worker is replaced unless the supervisor is stopping)
 * A run:     begin() ──→ active ──drain()──→ all settled ──end()──→ over
 *                          └── a failure of its own: over as well, until end() rejecting every call
 * A batch:   submit() ──→ queued ──→ held by one worker ──ack──→ settled
 *                           ↑___________ worker gone, ack lost __|
 * Invariants
 * - an un-acked batch is in exactly one place: the queue, or the `held` map of exactly one worker that is not gone;
 * - a batch is settled once: an ack for a delivery that its sender does not hold is counted as unmatched and not applied;
 * - batches of all runs are taken on in the order of their submit calls, however many wait: none overtakes one that is
 *   larger;
 * - a worker holds at most two batches, and together the un-acked batches of all runs have at most `maxInFlightBytes`
 *   bytes, or are a single batch;
 * - a batch goes to a worker that has answered the start of every run: what ends a worker is the batch that it was at;
 * - a worker that dies while it holds work puts the blame on the batch that it was at: the second time the batch is
 *   split, down to the one document that ends workers, which becomes a dead letter;
 * - a run that is over takes no other with it: none of its batches is handed out, and nobody hears of those that workers
 *   still hold; one that does not answer for such a batch in time is killed;
 * - after a failure of the workers nothing is handed out, and every call that waits is rejected with the first failure.
 */

import { ExitCode, fromWireError, MigrationError, stopSignals, toWireError } from '../../common/errors.ts';
import type { Batch } from '../../source/page.ts';
import { ActiveRun } from './active-run.ts';
import { Backlog } from './backlog.ts';
import { Announcements } from '../../common/announcements.ts';
import type { Clock } from '../../common/clock.ts';
import { DeathBudget, type DeathVerdict } from './death-budget.ts';
import { HangWatch } from './hang-watch.ts';
import { InFlight } from './in-flight.ts';
import type { PoolListener, RunListener } from '../../observe/run-listener.ts';
import { Member } from './member.ts';
import type { Exit, Pool } from '../pool/pool.ts';
import type { FromWorker } from '../protocol.ts';
import { creditPerWorker } from '../../observe/ack.ts';
import type { WorkerSettings, WorkerTarget } from '../../postgres/worker-settings.ts';

export interface SupervisorOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly size: number;
  /** Where workers connect to as soon as they listen, should they not have been told what to do by then. */
  readonly target?: WorkerTarget;
  readonly maxInFlightBytes: number;
  /** A worker that gives no sign of life for so long is killed and replaced. */
  readonly hangTimeoutMs: number;
  readonly listener: PoolListener;
  /** Aborted when the user asks to stop. */
  readonly signal?: AbortSignal;
}

/** A run, for its owner. */
export interface RunHandle {
  /** Takes a batch on; resolves once it is queued or handed out, which bounds how far each reader runs ahead. */
  submit(batch: Batch): Promise<void>;
  /** Resolves when every batch submitted is settled. */
  drain(): Promise<void>;
  /** Nothing more comes of it: what is not settled is forgotten, and so is the run. */
  end(): void;
  /** Acks that came from a worker that did not hold the batch. */
  readonly unmatchedAcks: number;
}

/** A batch of a run that is over has no right to keep a worker from the others for longer. */
const overdueMs = 10_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #deaths = new DeathBudget();
  #members: Member[] = [];
  /** Replacements that wait for their time. */
  #spawnsDue = new Set<() => void>();
  /** By their numbers, those that were not ended; workers wait for the first. */
  readonly #runs = new Map<number, ActiveRun>();
  #runsBegun = 0;
  readonly #backlog: Backlog;
  readonly #watch: HangWatch;
  #isStopping = false;
  #isKilling = false;
  #failure: MigrationError | undefined;
  readonly #changes = new Announcements();
  readonly #peakMemoryById = new Map<string, number>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { clock, size, maxInFlightBytes, hangTimeoutMs } = options;
    this.#backlog = new Backlog({ maxBatches: size * creditPerWorker, maxBytes: maxInFlightBytes });
    this.#watch = new HangWatch({
      clock,
      timeoutMs: hangTimeoutMs,
      members: () => this.#members,
      onHung: ({ worker }) => {
        worker.kill();
      },
    });
  }

  /** How many workers there are, or are to be again. */
  get size(): number {
    return this.#options.size;
  }

  get liveWorkers(): number {
    return this.#members.length;
  }

  get workerIds(): string[] {
    return this.#members.map((member) => member.worker.id);
  }

  /** What is submitted and not settled, of all runs. */
  get inFlight(): { readonly batches: number; readonly bytes: number } {
    return this.#backlog.size;
  }

  /** The workers cannot go on: no run can be begun. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** The most memory that each worker has had, in bytes, the ones that are gone among them. */
  get peakMemoryBytes(): number[] {
    return [...this.#peakMemoryById.values()];
  }

  /** Spawns all workers, which come up while it is still being found out what they are for. */
  spawn(): void {
    for (let i = 0; i < this.#options.size; i++) this.#spawnOne();
    if (this.#options.pool.isBeside) this.#watch.begin();
  }

  /**
   * Gives the workers the settings of a run; each takes batches as soon as it is ready, and none waits for the others.
   * Any number of runs may be under way; what bounds batches in flight bounds those of all together.
   */
  begin(settings: WorkerSettings, ...listeners: readonly RunListener[]): RunHandle {
    const run = new ActiveRun(++this.#runsBegun, settings, listeners);
    this.#runs.set(run.id, run);
    for (const member of this.#members) if (member.canBeTold) member.start(run);
    return {
      submit: (batch) => this.#submit(run, batch),
      drain: () => this.#until(run, () => run.unsettled === 0),
      end: () => {
        this.#end(run);
      },
      get unmatchedAcks() {
        return run.unmatchedAcks;
      },
    };
  }

  /** Lets the workers finish what they hold and leave by themselves; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#endSpawning();
    for (const member of this.#members) {
      // One that is not listening yet hears of it when it is.
      if (member.state !== 'spawned') member.drain();
    }
    await this.#until(null, () => this.#members.length === 0);
  }

  /**
   * Ends every worker at once, whatever it holds; resolves when all are gone. For a run that has failed.
   * @param why it is told as the death of each, for people; else it is what was to come, and nobody hears of it
   */
  async kill(why?: string): Promise<void> {
    this.#endSpawning();
    this.#isKilling = true;
    for (const member of this.#members) {
      member.killedFor = why;
      member.worker.kill();
    }
    await this.#changes.until(() => this.#members.length === 0);
  }

  #endSpawning(): void {
    this.#isStopping = true;
    this.#watch.end();
    for (const callOff of this.#spawnsDue) callOff();
    this.#spawnsDue.clear();
  }

  #spawnOne(): void {
    const member = new Member(this.#options.clock.nowMs());
    member.worker = this.#options.pool.spawn({
      onMessage: (message) => {
        try {
          if (member.state !== 'gone') this.#receive(member, message);
        } catch (error) {
          // Nobody is there to catch it, and a message that makes no sense must not be the end of the accounts.
          this.#fail(fromWireError(toWireError(error)));
        }
        this.#changes.announce();
      },
      onGone: (exit) => {
        this.#bury(member, exit);
        this.#changes.announce();
      },
    });
    this.#members.push(member);
  }

  #receive(member: Member, message: FromWorker): void {
    member.lastHeardMs = this.#options.clock.nowMs();
    switch (message.kind) {
      case 'listening':
        this.#welcome(member);
        return;
      case 'ready':
        member.hasStarted();
        this.#runs.get(message.run)?.tellReady(member.worker.id);
        this.#handOut();
        return;
      case 'ack':
        this.#settle(member, message);
        this.#handOut();
        return;
      case 'alive':
        this.#putBack(member.takeLost(message.received, message.holding));
        this.#handOut();
        return;
      case 'run-failed':
        this.#hearFailure(member, message);
        this.#handOut();
        return;
      case 'failed':
        this.#fail(fromWireError(message.error));
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
    if (this.#isStopping) member.drain();
    else if (this.#runs.size > 0) for (const run of this.#runs.values()) member.start(run);
    else if (target !== undefined) member.worker.send({ kind: 'connect', target });
  }

  #settle(member: Member, ack: FromWorker & { kind: 'ack' }): void {
    const entry = member.take(ack.delivery);
    if (entry === undefined) {
      const run = this.#runs.get(ack.run);
      if (run !== undefined) run.unmatchedAcks++;
      return;
    }
    this.#peakMemoryById.set(member.worker.id, ack.peakMemoryBytes);
    const { run } = entry;
    this.#deaths.recover();
    run.deaths.recover();
    const settled = entry.settle(ack);
    if (entry.isSettled || run.isOver) this.#forget(entry);
    else this.#backlog.putBack(entry);
    if (!run.isOver) run.tellAck(member.worker.id, ack, settled);
    for (const other of this.#runs.values()) if (other !== run) other.tellAckOfOther(member.worker.id, ack);
  }

  #hearFailure(member: Member, message: FromWorker & { kind: 'run-failed' }): void {
    const entry = member.take(message.delivery);
    if (entry === undefined) return;
    this.#forget(entry);
    this.#giveUp(entry.run, fromWireError(message.error));
  }

  #bury(member: Member, exit: Exit): void {
    const hasBegun = member.state === 'ready' || member.state === 'draining' || member.held.size > 0;
    const isExpected = member.state === 'draining' && member.held.size === 0 && exit.code === 0;
    member.state = 'gone';
    for (const run of this.#runs.values()) run.tellGone(member.worker.id);
    this.#members = this.#members.filter((other) => other !== member);
    const entries = member.takeAll();
    this.#putBack(entries);
    if (isExpected || this.#failure !== undefined) return;
    if (this.#isKilling && member.killedFor === undefined) return;
    if (!hasBegun && this.#isCalledOff(exit)) {
      // What is on its way still needs one.
      if (this.#members.length === 0 && !this.#isStopping) this.#spawnAfter(0);
      return;
    }

    const how = member.describeEnd(exit);
    // It takes its batches in order, so that it was at the oldest.
    const [at] = entries;
    const blamed = at?.run.isOver === false ? at : undefined;
    const consequence = blamed?.blame(how) ?? null;
    const verdict = this.#judge(`worker ${member.worker.id} ${how}`, hasBegun, blamed);
    const isReplaced = !verdict.isExhausted && !this.#isStopping;
    this.#options.listener.onDeath?.({ id: member.worker.id, how, isReplaced, consequence });
    if (isReplaced) this.#spawnAfter(verdict.backOffMs);
    this.#handOut();
  }

  /** The signal that asked to stop went to all processes, and found one that was not yet able to leave it to the primary. */
  #isCalledOff({ signal }: Exit): boolean {
    const isAsked = this.#options.signal?.aborted === true;
    return isAsked && stopSignals.some((name) => name === signal);
  }

  /** A run over whose batches too many have died is over; where it is nobody's fault, the workers have failed. */
  #judge(what: string, hasBegun: boolean, blamed: InFlight | undefined): DeathVerdict {
    const explain = (why: string): MigrationError =>
      new MigrationError(ExitCode.internal, `${what}; ${why}`, {
        code: 'WORKERS_KEEP_DYING',
        fix: 'look at the messages above; if memory ran out, lower ITEMS_PER_PAGE or CLUSTER_SIZE.',
      });
    const ofRun = blamed?.run.deaths.record(true);
    if (blamed !== undefined && ofRun?.isExhausted === true) {
      this.#giveUp(blamed.run, explain(ofRun.why));
      this.#deaths.recover();
    }
    const verdict = this.#deaths.record(hasBegun);
    if (verdict.isExhausted) this.#fail(explain(verdict.why));
    return verdict;
  }

  #spawnAfter(delayMs: number): void {
    if (delayMs === 0) {
      this.#spawnOne();
      return;
    }
    const callOff = this.#options.clock.after(delayMs, () => {
      this.#spawnsDue.delete(callOff);
      this.#spawnOne();
    });
    this.#spawnsDue.add(callOff);
  }

  async #submit(run: ActiveRun, batch: Batch): Promise<void> {
    const entry = new InFlight(run, batch);
    this.#backlog.queueUp(entry);
    await this.#until(run, () => this.#takeOn(entry));
  }

  /** Looks for room and takes it in one go, so that two that wait never take the same. @returns false without room */
  #takeOn(entry: InFlight): boolean {
    if (!this.#backlog.add(entry)) return false;
    entry.run.unsettled++;
    this.#handOut();
    // The next in line may have looked before.
    this.#changes.announce();
    return true;
  }

  /** Round-robin over the workers that have credit: whoever got a batch goes to the end of the line. */
  #handOut(): void {
    if (this.#failure !== undefined) return;
    for (;;) {
      const index = this.#members.findIndex(({ hasCredit }) => hasCredit);
      const member = this.#members[index];
      const entry = member === undefined ? undefined : this.#backlog.take();
      if (member === undefined || entry === undefined) return;
      this.#members.splice(index, 1);
      this.#members.push(member);
      member.deliver(entry, this.#options.clock.nowMs());
    }
  }

  /** What a worker held goes to another one, unless nobody waits for it any more. */
  #putBack(entries: readonly InFlight[]): void {
    for (const entry of entries) if (entry.run.isOver) this.#forget(entry);
    this.#backlog.putBack(...entries.filter(({ run }) => !run.isOver));
  }

  #forget(entry: InFlight): void {
    this.#backlog.remove(entry);
    entry.run.unsettled--;
  }

  #end(run: ActiveRun): void {
    if (!this.#runs.delete(run.id)) return;
    this.#giveUp(run, new MigrationError(ExitCode.internal, 'the run has ended', { code: 'INTERNAL' }));
    for (const member of this.#members) {
      if (member.canBeTold) member.worker.send({ kind: 'end', run: run.id });
    }
    this.#changes.announce();
  }

  #giveUp(run: ActiveRun, error: MigrationError): void {
    if (run.isOver) return;
    run.isOver = true;
    run.failure = error;
    this.#backlog.drop(run);
    if (!this.#members.some((member) => member.holdsBatchOf(run))) return;
    this.#options.clock.after(overdueMs, () => {
      for (const member of this.#members) {
        if (!member.holdsBatchOf(run)) continue;
        member.killedFor = 'held a batch of a run that is over for too long and was killed';
        member.worker.kill();
      }
    });
  }

  #fail(error: MigrationError): void {
    this.#failure ??= error;
  }

  /** @throws the first failure of the run or of the workers */
  #until(run: ActiveRun | null, isTrue: () => boolean): Promise<void> {
    return this.#changes.until(() => {
      const failure = run?.failure ?? this.#failure;
      if (failure !== undefined) throw failure;
      return isTrue();
    });
  }
}
