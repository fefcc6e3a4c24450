/** One worker as the supervisor knows it: its state, what it holds, and when it was last heard. */

import type { InFlight } from './in-flight.ts';
import type { Exit, PoolWorker } from './pool.ts';
import type { WireError } from '../errors.ts';

/** One batch in work and one on its way, so that a worker never waits for the next. */
export const creditPerWorker = 2;

export class Member {
  worker!: PoolWorker;
  state: 'spawned' | 'listening' | 'starting' | 'ready' | 'draining' | 'gone' = 'spawned';
  /** By the batch's number, in the order of delivery, which is the order in which the worker takes them. */
  readonly held = new Map<number, { readonly entry: InFlight; readonly delivery: number }>();
  lastHeardMs: number;
  /** How often it was told to start and has not answered yet. */
  startsDue = 0;
  /** What it said before it ended itself. */
  lastWords: WireError | undefined;
  /** It was not heard for too long, and was killed for it. */
  isHung = false;
  #deliveries = 0;

  constructor(nowMs: number) {
    this.lastHeardMs = nowMs;
  }

  get hasCredit(): boolean {
    return this.state === 'ready' && this.held.size < creditPerWorker;
  }

  deliver(entry: InFlight, sentAtMs: number): void {
    this.held.set(entry.batch.number, { entry, delivery: ++this.#deliveries });
    this.worker.send({ kind: 'batch', batch: entry.batch, sentAtMs });
  }

  /**
   * Takes back what the worker does not hold although it was sent: its ack was lost on the way.
   * @param received how many batches had come to it when it told what it holds
   */
  takeLost(received: number, holding: readonly number[]): InFlight[] {
    const lost: InFlight[] = [];
    for (const [number, { entry, delivery }] of this.held) {
      if (delivery > received || holding.includes(number)) continue;
      this.held.delete(number);
      lost.push(entry);
    }
    return lost;
  }

  /** For people. */
  describeEnd({ code, signal, reason }: Exit): string {
    if (this.isHung) return 'gave no sign of life and was killed';
    const how = signal === null ? `ended with exit code ${code ?? '?'}` : `ended by ${signal}`;
    const why = this.lastWords?.message ?? reason;
    return why === undefined ? how : `${how} (${why})`;
  }

  /** Takes back all, the oldest first. */
  takeAll(): InFlight[] {
    const entries = [...this.held.values()].map(({ entry }) => entry);
    this.held.clear();
    return entries;
  }
}
