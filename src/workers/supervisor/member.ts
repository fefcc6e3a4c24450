/** One worker as the supervisor knows it: its state, what it holds, and when it was last heard. */

import { creditOf } from './crew.ts';
import type { ActiveRun } from './active-run.ts';
import type { InFlight } from './in-flight.ts';
import type { Exit, PoolWorker } from '../pool/pool.ts';
import type { WireError } from '../../common/errors.ts';

export class Member {
  worker!: PoolWorker;
  /** In the primary itself, and not one of those that the settings name. */
  readonly isInside: boolean;
  /** Runs beside the primary, so that it can hang while that does not. */
  readonly isBeside: boolean;
  /** How many there are to be, and how many it has told that there are. */
  #connections = 1;
  openConnections = 0;
  /** It is to exit, and gets no more batches. */
  isToLeave = false;
  state: 'spawned' | 'listening' | 'starting' | 'ready' | 'draining' | 'gone' = 'spawned';
  /** By the number of the delivery, in their order, which is the order in which the worker takes them. */
  readonly held = new Map<number, InFlight>();
  lastHeardMs: number;
  /** How often it was told to start and has not answered yet. */
  startsDue = 0;
  /** What it said before it ended itself. */
  crashReport: WireError | undefined;
  /** It sent no heartbeat for too long, and was killed. */
  isHung = false;
  /** Why it was killed otherwise, for people. */
  killedFor: string | undefined;
  #deliveries = 0;

  constructor(isInside: boolean, isBeside: boolean, nowMs: number) {
    this.isInside = isInside;
    this.isBeside = isBeside;
    this.lastHeardMs = nowMs;
  }

  get hasCredit(): boolean {
    const credit = creditOf({ connections: this.#connections });
    return this.state === 'ready' && this.held.size < credit && !this.#holdsSuspect;
  }

  /** Holds nothing: a suspect has it to itself. */
  get isFree(): boolean {
    return this.state === 'ready' && this.held.size === 0;
  }

  /** It listens, and has not been told to leave. */
  get canBeTold(): boolean {
    return this.state === 'listening' || this.state === 'starting' || this.state === 'ready';
  }

  /** How many connections it is to have. */
  resize(connections: number): void {
    if (connections === this.#connections) return;
    this.#connections = connections;
    // One that does not listen yet is told when it does.
    if (this.canBeTold) this.worker.send({ kind: 'connections', count: connections });
  }

  /** To be called once it listens, before all else. */
  tellConnections(): void {
    if (this.#connections === 1) return;
    this.worker.send({ kind: 'connections', count: this.#connections });
  }

  /** Takes no batch until it has answered. */
  start({ id: run, settings }: ActiveRun): void {
    this.state = 'starting';
    this.startsDue++;
    this.worker.send({ kind: 'start', run, settings });
  }

  /** It has answered a start; it may have others to answer. */
  hasStarted(): void {
    this.startsDue--;
    if (this.startsDue === 0 && this.state === 'starting') this.state = 'ready';
  }

  /** Has it finish what it holds, and leave. One that does not listen yet has to be told again when it does. */
  drain(): void {
    this.isToLeave = true;
    if (this.state === 'spawned' || this.state === 'draining') return;
    this.state = 'draining';
    this.worker.send({ kind: 'drain' });
  }

  get #holdsSuspect(): boolean {
    return [...this.held.values()].some(({ isSuspect }) => isSuspect);
  }

  holdsBatchOf(run: ActiveRun): boolean {
    return [...this.held.values()].some((entry) => entry.run === run);
  }

  deliver(entry: InFlight, sentAtMs: number): void {
    const delivery = ++this.#deliveries;
    this.held.set(delivery, entry);
    this.worker.send({ kind: 'batch', run: entry.run.id, delivery, batch: entry.batch, sentAtMs });
  }

  /** Takes back what the worker has answered for; undefined when it does not hold it. */
  take(delivery: number): InFlight | undefined {
    const entry = this.held.get(delivery);
    this.held.delete(delivery);
    return entry;
  }

  /**
   * Takes back what the worker does not hold although it was sent: its ack was lost on the way.
   * @param received how many batches had come to it when it told what it holds
   */
  takeLost(received: number, holding: readonly number[]): InFlight[] {
    const lost: InFlight[] = [];
    for (const [delivery, entry] of this.held) {
      if (delivery > received || holding.includes(delivery)) continue;
      this.held.delete(delivery);
      lost.push(entry);
    }
    return lost;
  }

  /** For people. */
  describeEnd({ code, signal, reason }: Exit): string {
    if (this.isHung) return 'sent no heartbeat and was killed';
    if (this.killedFor !== undefined) return this.killedFor;
    const how = signal === null ? `ended with exit code ${code ?? '?'}` : `ended by ${signal}`;
    const why = this.crashReport?.message ?? reason;
    return why === undefined ? how : `${how} (${why})`;
  }

  /** Takes back all, the oldest first. */
  takeAll(): InFlight[] {
    const entries = [...this.held.values()];
    this.held.clear();
    return entries;
  }
}
