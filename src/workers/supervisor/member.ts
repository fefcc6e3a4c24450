/** The supervisor's state of one worker: what it holds, and when it last sent a message. */

import { creditOf } from './crew.ts';
import type { ActiveRun } from './active-run.ts';
import type { InFlight } from './in-flight.ts';
import type { Exit, PoolWorker } from '../pool/pool.ts';
import type { WireError } from '../../common/errors.ts';

export class Member {
  worker!: PoolWorker;
  /** Runs inside the primary, and not in the pool of the settings. */
  readonly isInside: boolean;
  /** Runs apart from the primary, so that it can hang while that does not. */
  readonly isBeside: boolean;
  /** The wanted number of connections, and the number that it has reported. */
  #connections = 1;
  openConnections = 0;
  /** It was asked to exit, and gets no more batches. */
  isExiting = false;
  state: 'spawned' | 'listening' | 'starting' | 'ready' | 'draining' | 'gone' = 'spawned';
  /** By delivery number, in the order in which the worker processes them. */
  readonly held = new Map<number, InFlight>();
  lastHeardMs: number;
  /** The number of `start` messages that it has not answered yet. */
  startsDue = 0;
  /** The last message of a worker that ended itself. */
  crashReport: WireError | undefined;
  /** It sent no heartbeat for too long, and was killed. */
  isHung = false;
  /** Another reason for killing it, for messages. */
  killedFor: string | undefined;
  #deliveries = 0;

  constructor(isInside: boolean, isBeside: boolean, nowMs: number) {
    this.isInside = isInside;
    this.isBeside = isBeside;
    this.lastHeardMs = nowMs;
  }

  get hasCredit(): boolean {
    const credit = creditOf({ connections: this.#connections });
    return this.state === 'ready' && this.held.size < credit && !this.isOnTrial;
  }

  /** Holds nothing, so that it can take a suspect. */
  get isFree(): boolean {
    return this.state === 'ready' && this.held.size === 0;
  }

  /** Whether it listens, and was not asked to exit. */
  get canReceive(): boolean {
    return this.state === 'listening' || this.state === 'starting' || this.state === 'ready';
  }

  /** Sets its number of connections. */
  resize(connections: number): void {
    if (connections === this.#connections) return;
    this.#connections = connections;
    // If it does not listen yet, the message is sent when it does.
    if (this.canReceive) this.worker.send({ kind: 'connections', count: connections });
  }

  /** To be called once it listens, before anything else. */
  sendConnections(): void {
    if (this.#connections === 1) return;
    this.worker.send({ kind: 'connections', count: this.#connections });
  }

  /** It gets no batch until it has answered. */
  start({ id: run, settings }: ActiveRun): void {
    this.state = 'starting';
    this.startsDue++;
    this.worker.send({ kind: 'start', run, settings });
  }

  /** To be called when it has answered a start. Others may still be unanswered. */
  hasStarted(): void {
    this.startsDue--;
    if (this.startsDue === 0 && this.state === 'starting') this.state = 'ready';
  }

  /** Lets it finish its batches and exit. If it does not listen yet, this must be repeated when it does. */
  drain(): void {
    this.isExiting = true;
    if (this.state === 'spawned' || this.state === 'draining') return;
    this.state = 'draining';
    this.worker.send({ kind: 'drain' });
  }

  /** It holds a suspect, and nothing else. */
  get isOnTrial(): boolean {
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

  /** Removes an answered delivery; undefined if the worker does not hold it. */
  take(delivery: number): InFlight | undefined {
    const entry = this.held.get(delivery);
    this.held.delete(delivery);
    return entry;
  }

  /**
   * Removes deliveries that the worker does not hold although they were sent, since their acks were lost.
   * @param received how many batches it had received when it reported what it holds
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

  /** Removes all, the oldest first. */
  takeAll(): InFlight[] {
    const entries = [...this.held.values()];
    this.held.clear();
    return entries;
  }
}
