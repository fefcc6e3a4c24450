/** One worker as the supervisor knows it: its state, what it holds, and when it was last heard. */

import type { InFlight } from './in-flight.ts';
import type { Exit, PoolWorker } from './pool.ts';
import type { WireError } from '../errors.ts';
import { batchKey, type BatchPlace } from './protocol.ts';

/** One batch in work and one on its way, so that a worker never waits for the next. */
export const creditPerWorker = 2;

export class Member {
  worker!: PoolWorker;
  state: 'spawned' | 'listening' | 'starting' | 'ready' | 'draining' | 'gone' = 'spawned';
  /** By the batch's key, in the order of delivery, which is the order in which the worker takes them. */
  readonly held = new Map<string, { readonly entry: InFlight; readonly delivery: number }>();
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
    this.held.set(batchKey(entry.batch), { entry, delivery: ++this.#deliveries });
    this.worker.send({ kind: 'batch', batch: entry.batch, sentAtMs });
  }

  /** Takes the batch back that an ack is about; undefined when this worker does not hold it. */
  takeAcked(place: BatchPlace): InFlight | undefined {
    const key = batchKey(place);
    const entry = this.held.get(key)?.entry;
    this.held.delete(key);
    return entry;
  }

  /**
   * Takes back what the worker does not hold although it was sent: its ack was lost on the way.
   * @param received how many batches had come to it when it told what it holds
   */
  takeLost(received: number, holding: readonly string[]): InFlight[] {
    const lost: InFlight[] = [];
    for (const [key, { entry, delivery }] of this.held) {
      if (delivery > received || holding.includes(key)) continue;
      this.held.delete(key);
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
