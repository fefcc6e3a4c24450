/**
 * The supervisor: all policy about workers and batches, and nothing about how a worker runs or what it does.
 *
 * A worker:  spawned ──→ listening ──settings──→ starting ──→ ready ──stop()──→ draining ──→ gone
 *            (gone may come from any state; a gone worker is replaced unless the supervisor is stopping)
 * A batch:   submit() ──→ queued ──→ held by one worker ──ack──→ settled
 *                           ↑___________ worker gone, ack lost __|
 * Invariants
 * - an un-acked batch is in exactly one place: the queue, or the `held` map of exactly one worker that is not gone;
 * - a batch is settled once: an ack for a batch that its sender does not hold is counted as stray and not applied;
 * - batches are taken on in the order of their submit calls, however many wait: none overtakes one that is larger;
 * - a worker holds at most two batches, and together the un-acked batches have at most `maxInFlightBytes` bytes, or
 *   are a single batch;
 * - a worker that dies while it holds work puts the blame on the batch that it was at: the second time the batch is
 *   split, down to the one document that ends workers, which becomes a dead letter;
 * - after a failure nothing is handed out, and every call that waits is rejected with the first failure.
 */

import { ExitCode, fromWireError, MigrationError, toWireError } from '../errors.ts';
import { Backlog } from './backlog.ts';
import { Changes } from './changes.ts';
import type { Clock } from './clock.ts';
import { DeathBudget } from './death-budget.ts';
import { HangWatch } from './hang-watch.ts';
import { InFlight } from './in-flight.ts';
import { creditPerWorker, Member } from './member.ts';
import type { WorkerObserver } from './observer.ts';
import type { Exit, Pool } from './pool.ts';
import type { Ack, Batch, FromWorker, WorkerSettings, WorkerTarget } from './protocol.ts';

export interface SupervisorOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly size: number;
  /** Where workers connect to as soon as they listen, should they not have been told what to do by then. */
  readonly target?: WorkerTarget;
  readonly maxInFlightBytes: number;
  /** A worker that gives no sign of life for so long is killed and replaced. */
  readonly hangTimeoutMs: number;
  /** Called once for each batch, or each part of one that was split. */
  onSettled(batch: Batch): void;
  /** Called for each ack that is applied. */
  onAck(ack: Ack): void;
  onNotice(message: string): void;
  /** A worker ended before it was told to. */
  onDeath?(id: string): void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #deaths = new DeathBudget();
  #members: Member[] = [];
  /** Replacements that wait for their time. */
  #spawnsDue = new Set<() => void>();
  /** Undefined until `begin`: workers then wait for it. */
  #settings: WorkerSettings | undefined;
  #observer: WorkerObserver | undefined;
  readonly #backlog: Backlog;
  readonly #watch: HangWatch;
  #isStopping = false;
  #failure: MigrationError | undefined;
  readonly #changes = new Changes();
  /** Acks that came from a worker that did not hold the batch. */
  strayAcks = 0;
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

  /** What is submitted and not settled. */
  get inFlight(): { readonly batches: number; readonly bytes: number } {
    return this.#backlog.size;
  }

  /** Spawns all workers, which come up while their settings are still being found out. */
  spawn(): void {
    for (let i = 0; i < this.#options.size; i++) this.#spawnOne();
    if (this.#options.pool.isBeside) this.#watch.begin();
  }

  /** The most memory that each worker has had, in bytes, the ones that are gone among them. */
  get peakMemoryBytes(): number[] {
    return [...this.#peakMemoryById.values()];
  }

  /**
   * Gives the workers the settings of a run; each takes batches as soon as it is ready, and none waits for the others.
   * Another run may begin once the one before it has drained.
   */
  begin(settings: WorkerSettings, observer?: WorkerObserver): void {
    this.#settings = settings;
    this.#observer = observer;
    for (const member of this.#members) this.#sendSettings(member, settings);
  }

  /** Takes a batch on; resolves once it is queued or handed out, which bounds how far each reader runs ahead. */
  async submit(batch: Batch): Promise<void> {
    const entry = new InFlight(batch);
    this.#backlog.queueUp(entry);
    await this.#until(() => this.#takeOn(entry));
  }

  /** Resolves when every batch submitted is settled. */
  async drain(): Promise<void> {
    await this.#until(() => this.#backlog.isEmpty);
  }

  /** Lets the workers finish what they hold and leave by themselves; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#endSpawning();
    for (const member of this.#members) {
      // One that is not listening yet hears of it when it is.
      if (member.state !== 'spawned') this.#sendDrain(member);
    }
    await this.#until(() => this.#members.length === 0);
  }

  /** Ends every worker at once, whatever it holds; resolves when all are gone. For a run that has failed. */
  async kill(): Promise<void> {
    this.#endSpawning();
    for (const member of this.#members) member.worker.kill();
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
        if (member.state === 'spawned') member.state = 'listening';
        if (this.#isStopping) this.#sendDrain(member);
        else if (this.#settings !== undefined) this.#sendSettings(member, this.#settings);
        else if (this.#options.target !== undefined)
          member.worker.send({ kind: 'connect', target: this.#options.target });
        return;
      case 'ready':
        // One that was still starting for an earlier run has another start to answer.
        if (--member.startsDue === 0 && member.state === 'starting') {
          member.state = 'ready';
          this.#observer?.onReady(member.worker.id);
        }
        this.#handOut();
        return;
      case 'ack':
        this.#settle(member, message);
        this.#handOut();
        return;
      case 'alive':
        this.#backlog.putBack(...member.takeLost(message.received, message.holding));
        this.#handOut();
        return;
      case 'failed':
        this.#fail(fromWireError(message.error));
        return;
      case 'crashing':
        member.lastWords = message.error;
        return;
      case 'drained':
        return;
      default:
        message satisfies never;
        throw new Error(`a worker sent an unknown message: ${JSON.stringify(message)}`);
    }
  }

  #sendSettings(member: Member, settings: WorkerSettings): void {
    if (member.state !== 'listening' && member.state !== 'ready' && member.state !== 'starting') return;
    member.state = 'starting';
    member.startsDue++;
    member.worker.send({ kind: 'start', settings });
  }

  #sendDrain(member: Member): void {
    member.state = 'draining';
    member.worker.send({ kind: 'drain' });
  }

  #settle(member: Member, ack: Ack): void {
    const entry = member.takeAcked(ack);
    if (entry === undefined) {
      this.strayAcks++;
      return;
    }
    this.#peakMemoryById.set(member.worker.id, ack.peakMemoryBytes);
    this.#deaths.recover();
    const settled = entry.settle(ack);
    if (entry.isSettled) this.#backlog.remove(entry);
    else this.#backlog.putBack(entry);
    this.#observer?.onAck(member.worker.id, ack, settled);
    this.#options.onAck(ack);
    for (const batch of settled) this.#options.onSettled(batch);
  }

  #bury(member: Member, exit: Exit): void {
    const hadStarted = member.state === 'ready' || member.state === 'draining';
    const isExpected = member.state === 'draining' && member.held.size === 0 && exit.code === 0;
    member.state = 'gone';
    this.#observer?.onGone(member.worker.id);
    this.#members = this.#members.filter((other) => other !== member);
    const entries = member.takeAll();
    this.#backlog.putBack(...entries);
    if (isExpected || this.#failure !== undefined) return;

    const how = member.describeEnd(exit);
    const what = `worker ${member.worker.id} ${how}`;
    // It takes its batches in order, so that it was at the oldest.
    const consequence = entries[0]?.blame(how) ?? null;
    this.#options.onDeath?.(member.worker.id);
    const verdict = this.#deaths.record(hadStarted);
    if (verdict.isExhausted) {
      this.#fail(
        new MigrationError(ExitCode.internal, `${what}; ${verdict.why}`, {
          fix: 'look at the messages above; if memory ran out, lower ITEMS_PER_PAGE or CLUSTER_SIZE.',
        }),
      );
    } else if (!this.#isStopping) {
      const fate = consequence === null ? '' : `; ${consequence}`;
      this.#options.onNotice(`${what}; another is started and takes over its batches${fate}`);
      this.#spawnAfter(verdict.backOffMs);
    }
    this.#handOut();
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

  /** Looks for room and takes it in one go, so that two that wait never take the same. @returns false without room */
  #takeOn(entry: InFlight): boolean {
    if (!this.#backlog.add(entry)) return false;
    this.#handOut();
    // The next in line may have looked before.
    this.#changes.announce();
    return true;
  }

  #fail(error: MigrationError): void {
    this.#failure ??= error;
  }

  /** @throws the run's first failure */
  #until(isTrue: () => boolean): Promise<void> {
    return this.#changes.until(() => {
      if (this.#failure !== undefined) throw this.#failure;
      return isTrue();
    });
  }
}
