/** A batch in flight, with the history of its deliveries. */

import { type Batch, batchKey } from '../../source/page.ts';
import type { ActiveRun } from './active-run.ts';
import { splitBatch } from './split.ts';
import type { Ack } from '../../observe/ack.ts';

/** A worker may die for another reason while it holds a batch, so that one death proves nothing. */
const deathsToSplit = 2;
/** What a half inherits: one half of a poison batch is poisonous. */
const deathsInherited = 1;

export class InFlight {
  readonly run: ActiveRun;
  /** The part to deliver next. */
  batch: Batch;
  /** The later parts of a split batch. Each is delivered once the one before it is settled. */
  #rest: Batch[] = [];
  /** Workers that died while they held `batch`: alone, or, the first time, with others. */
  #deaths = 0;
  readonly bytes: number;

  constructor(run: ActiveRun, batch: Batch) {
    this.run = run;
    this.batch = batch;
    this.bytes = batch.bytes.byteLength;
  }

  /** A worker that held it has died. From then on it is delivered alone, so that it is certainly the cause of another death. */
  get isSuspect(): boolean {
    return this.#deaths > 0;
  }

  /** Records the death of a worker that held it together with other batches. */
  suspect(): void {
    this.#deaths = Math.max(this.#deaths, 1);
  }

  /**
   * Records the death of a worker that held only this batch.
   * @returns the consequence, for messages; null if it is only redelivered
   */
  blame(how: string): string | null {
    this.#deaths++;
    const { rangeNo, number, documentCount } = this.batch;
    if (this.#deaths < deathsToSplit) return null;
    const { drain } = this.batch;
    if (drain !== undefined && drain.seqs.length > 1) {
      this.batch = { ...this.batch, drain: { ...drain, isGivenUp: true } };
      return `the changed documents of slot ${drain.slot} crash workers and are read again one at a time`;
    }
    // It has no documents any more, so that something else crashes the workers.
    if (documentCount === 0) return null;
    if (documentCount === 1) {
      this.batch = { ...this.batch, poison: `${this.#deaths} workers ended over it; the last ${how}` };
      return `document ${number} of range ${rangeNo} crashes workers and becomes a dead letter`;
    }
    const [first, second] = splitBatch(this.batch);
    this.batch = first;
    this.#rest.unshift(second);
    this.#deaths = deathsInherited;
    return `batch ${number} of range ${rangeNo} (${documentCount} documents) crashes workers and is bisected`;
  }

  /**
   * Applies an ack, and continues with the next part that it does not cover. (An ack for a part may report that the whole was committed, by a worker that died before its ack.)
   * @returns the parts that are settled now
   */
  settle(ack: Pick<Ack, 'documentCount'>): Batch[] {
    const { batch } = this;
    const settled = [batch];
    let covered = ack.documentCount - batch.documentCount;
    let next = this.#rest.shift();
    while (next !== undefined && covered > 0) {
      covered -= next.documentCount;
      settled.push(next);
      next = this.#rest.shift();
    }
    if (covered !== 0) {
      throw new Error(
        `batch ${batchKey(batch)} was acked with ${ack.documentCount} documents, which is not the number sent`,
      );
    }
    this.#deaths = next === undefined ? 0 : deathsInherited;
    this.isSettled = next === undefined;
    if (next !== undefined) this.batch = next;
    return settled;
  }

  /** Whether nothing of it is left to deliver. */
  isSettled = false;
}
