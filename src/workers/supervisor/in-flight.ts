/** A batch in flight, with the history of its deliveries. */

import { type Batch, batchKey } from '../../source/page.ts';
import type { ActiveRun } from './active-run.ts';
import { splitBatch } from './split.ts';
import type { Ack } from '../../observe/ack.ts';

/** Of workers that had a document on trial. It is lost to the table, so that this needs more than what is only done again in parts. */
const deathsToConvict = 2;

export class InFlight {
  readonly run: ActiveRun;
  /** The part to deliver next. */
  batch: Batch;
  /** The later parts of a split batch. Each is delivered once the one before it is settled. */
  #rest: Batch[] = [];
  /** Workers that died, each as the only one at its time, while `batch` was on trial. */
  #deaths = 0;
  /** A worker that held it has died. From then on it is delivered on trial: alone, and no other at the same time. Its parts are suspects too. */
  isSuspect = false;
  readonly bytes: number;

  constructor(run: ActiveRun, batch: Batch) {
    this.run = run;
    this.batch = batch;
    this.bytes = batch.bytes.byteLength;
  }

  /**
   * Records the death of a worker that had it on trial, and that nothing else explains.
   * @returns the consequence, for messages; null if it is only redelivered
   */
  blame(how: string): string | null {
    this.#deaths++;
    const { rangeNo, number, documentCount } = this.batch;
    const { drain } = this.batch;
    if (drain !== undefined && drain.seqs.length > 1) {
      this.batch = { ...this.batch, drain: { ...drain, isGivenUp: true } };
      return `the changed documents of slot ${drain.slot} crash workers and are read again one at a time`;
    }
    // It has no documents any more, so that something else crashes the workers.
    if (documentCount === 0) return null;
    if (documentCount === 1) {
      if (this.#deaths < deathsToConvict) return null;
      this.batch = {
        ...this.batch,
        poison: `${this.#deaths} workers that had only it ended; the last ${how}`,
      };
      return `document ${number} of range ${rangeNo} crashes workers and becomes a dead letter`;
    }
    const [first, second] = splitBatch(this.batch);
    this.batch = first;
    this.#rest.unshift(second);
    this.#deaths = 0;
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
    this.#deaths = 0;
    this.isSettled = next === undefined;
    if (next !== undefined) this.batch = next;
    return settled;
  }

  /** Whether nothing of it is left to deliver. */
  isSettled = false;
}
