/**
 * The supervisor: all policy about workers and batches, and nothing about how a worker runs or what it does.
 *
 * A worker:  spawned ──→ listening ──settings──→ starting ──→ ready ──stop()──→ draining ──→ gone
 *            (gone may come from any state; a gone worker is replaced unless the supervisor is stopping)
 * A batch:   submit() ──→ queued ──→ held by one worker ──ack──→ settled
 *                           ↑__________ worker gone __|
 * Invariants
 * - an un-acked batch is in exactly one place: the queue, or the `held` map of exactly one worker that is not gone;
 * - a batch is settled once: an ack for a batch that its sender does not hold is counted as stray and not applied;
 * - a worker holds at most `credit` batches, and together the un-acked batches have at most `maxInFlightBytes`
 *   bytes, or are a single batch;
 * - after a failure nothing is handed out, and every call that waits is rejected with the first failure.
 */

import { ExitCode, fromWireError, MigrationError } from '../errors.ts';
import type { Exit, Pool, PoolWorker } from './pool.ts';
import type { Ack, Batch, FromWorker, WorkerSettings } from './protocol.ts';

/** One batch in work and one on its way, so that a worker never waits for the next. */
const creditPerWorker = 2;

/** A worker that dies young over and over will not get better: after this many deaths with no ack between, give up. */
const maxDeathsWithoutAck = 5;

export interface SupervisorOptions {
  readonly pool: Pool;
  readonly size: number;
  readonly maxInFlightBytes: number;
  onAck(ack: Ack, batch: Batch): void;
  onNotice(message: string): void;
}

interface Member {
  readonly worker: PoolWorker;
  readonly held: Map<number, Batch>;
  state: 'spawned' | 'listening' | 'starting' | 'ready' | 'draining' | 'gone';
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  #members: Member[] = [];
  /** Undefined until `begin`: workers then wait for it. */
  #settings: WorkerSettings | undefined;
  #queue: Batch[] = [];
  #inFlightCount = 0;
  #inFlightBytes = 0;
  #deathsWithoutAck = 0;
  #isStopping = false;
  #failure: MigrationError | undefined;
  #wake: (() => void)[] = [];
  /** Acks that came from a worker that did not hold the batch. */
  strayAcks = 0;
  /** Highest memory of each worker that drained, in bytes. */
  readonly peakRssBytes: number[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get workerCount(): number {
    return this.#members.length;
  }

  get workerPids(): number[] {
    return this.#members.map((member) => member.worker.pid);
  }

  /** Spawns all workers, which come up while their settings are still being found out. */
  spawn(): void {
    for (let i = 0; i < this.#options.size; i++) this.#spawnOne();
  }

  /** Gives the workers their settings; each takes batches as soon as it is ready, and none waits for the others. */
  begin(settings: WorkerSettings): void {
    this.#settings = settings;
    for (const member of this.#members) {
      this.#sendSettings(member, settings);
    }
  }

  /** Takes a batch on; resolves once it is queued or handed out, which bounds how far the reader runs ahead. */
  async submit(batch: Batch): Promise<void> {
    await this.#until(() => this.#hasRoomFor(batch));
    this.#inFlightCount++;
    this.#inFlightBytes += batch.documents.byteLength;
    this.#queue.push(batch);
    this.#handOut();
  }

  /** Resolves when every batch submitted is settled. */
  async drain(): Promise<void> {
    await this.#until(() => this.#inFlightCount === 0);
  }

  /** Lets the workers finish what they hold and leave by themselves; resolves when all are gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const member of this.#members) {
      // One that is not listening yet hears of it when it is.
      if (member.state !== 'spawned') this.#sendDrain(member);
    }
    await this.#until(() => this.#members.length === 0);
  }

  /** Ends every worker at once, whatever it holds; resolves when all are gone. For a run that has failed. */
  async kill(): Promise<void> {
    this.#isStopping = true;
    for (const member of this.#members) member.worker.kill();
    while (this.#members.length > 0) await this.#nextChange();
  }

  #spawnOne(): void {
    const member: Member = {
      state: 'spawned',
      held: new Map(),
      worker: this.#options.pool.spawn({
        onMessage: (message) => {
          if (member.state !== 'gone') this.#receive(member, message);
          this.#changed();
        },
        onGone: (exit) => {
          this.#bury(member, exit);
          this.#changed();
        },
      }),
    };
    this.#members.push(member);
  }

  #receive(member: Member, message: FromWorker): void {
    switch (message.kind) {
      case 'listening':
        if (member.state === 'spawned') member.state = 'listening';
        if (this.#isStopping) this.#sendDrain(member);
        else if (this.#settings !== undefined) this.#sendSettings(member, this.#settings);
        return;
      case 'ready':
        if (member.state === 'starting') member.state = 'ready';
        this.#handOut();
        return;
      case 'ack':
        this.#settle(member, message);
        this.#handOut();
        return;
      case 'failed':
        this.#fail(fromWireError(message.error));
        return;
      case 'drained':
        this.peakRssBytes.push(message.peakRssBytes);
        return;
      default:
        message satisfies never;
        throw new Error(`a worker sent an unknown message: ${JSON.stringify(message)}`);
    }
  }

  #sendSettings(member: Member, settings: WorkerSettings): void {
    if (member.state !== 'listening') return;
    member.state = 'starting';
    member.worker.send({ kind: 'start', settings });
  }

  #sendDrain(member: Member): void {
    member.state = 'draining';
    member.worker.send({ kind: 'drain' });
  }

  #settle(member: Member, ack: Ack): void {
    const batch = member.held.get(ack.number);
    if (batch === undefined) {
      this.strayAcks++;
      return;
    }
    member.held.delete(ack.number);
    this.#inFlightCount--;
    this.#inFlightBytes -= batch.documents.byteLength;
    this.#deathsWithoutAck = 0;
    this.#options.onAck(ack, batch);
  }

  #bury(member: Member, exit: Exit): void {
    const isExpected = member.state === 'draining' && member.held.size === 0 && exit.code === 0;
    member.state = 'gone';
    this.#members = this.#members.filter((other) => other !== member);
    // Before anything newer: the oldest un-acked batch holds back the end of the run.
    this.#queue.unshift(...member.held.values());
    member.held.clear();
    if (isExpected || this.#failure !== undefined) return;

    const how = exit.signal === null ? `with exit code ${exit.code ?? '?'}` : `by ${exit.signal}`;
    const what = `worker ${member.worker.pid} ended ${how}`;
    this.#deathsWithoutAck++;
    if (this.#deathsWithoutAck >= maxDeathsWithoutAck) {
      const message = `${what}; ${this.#deathsWithoutAck} workers in a row died without finishing a batch`;
      this.#fail(
        new MigrationError(ExitCode.internal, message, {
          fix: 'look at the messages above; if memory ran out, lower ITEMS_PER_PAGE or CLUSTER_SIZE.',
        }),
      );
    } else if (!this.#isStopping) {
      this.#options.onNotice(`${what}; started another, which takes over its batches`);
      this.#spawnOne();
    }
    this.#handOut();
  }

  /** Round-robin over the workers that have credit: whoever got a batch goes to the end of the line. */
  #handOut(): void {
    if (this.#failure !== undefined) return;
    while (this.#queue.length > 0) {
      const index = this.#members.findIndex(hasCredit);
      const member = this.#members[index];
      const batch = this.#queue[0];
      if (member === undefined || batch === undefined) return;
      this.#queue.shift();
      this.#members.splice(index, 1);
      this.#members.push(member);
      member.held.set(batch.number, batch);
      member.worker.send({ kind: 'batch', batch });
    }
  }

  #hasRoomFor(batch: Batch): boolean {
    if (this.#inFlightCount === 0) return true;
    return (
      this.#inFlightCount < this.#options.size * creditPerWorker &&
      this.#inFlightBytes + batch.documents.byteLength <= this.#options.maxInFlightBytes
    );
  }

  #fail(error: MigrationError): void {
    this.#failure ??= error;
  }

  /** Waits until `isTrue`, looking again at every change. @throws the run's first failure */
  async #until(isTrue: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (isTrue()) return;
      await this.#nextChange();
    }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

function hasCredit(member: Member): boolean {
  return member.state === 'ready' && member.held.size < creditPerWorker;
}
