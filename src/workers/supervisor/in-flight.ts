/** A batch on its way, with what was learned while it was delivered. */

import { type Batch, batchKey } from '../../source/page.ts';
import type { ActiveRun } from './active-run.ts';
import { splitBatch } from './split.ts';
import type { Ack } from '../../observe/ack.ts';

/** A worker can die for a reason of its own while it holds any batch: one death proves nothing yet. */
const deathsToSplit = 2;
/** What a half inherits: a batch known to end workers has one half that does. */
const deathsInherited = 1;

export class InFlight {
  readonly run: ActiveRun;
  /** What is delivered next. */
  batch: Batch;
  /** The later parts of a batch that was split, each to be delivered once the one before it is settled. */
  #rest: Batch[] = [];
  /** Workers that died while they held `batch`: alone, or, the first time, with others. */
  #deaths = 0;
  readonly bytes: number;

  constructor(run: ActiveRun, batch: Batch) {
    this.run = run;
    this.batch = batch;
    this.bytes = batch.bytes.byteLength;
  }

  /** A worker that held it has died. It is delivered alone from now on, so that the next death is certainly its fault. */
  get isSuspect(): boolean {
    return this.#deaths > 0;
  }

  /** A worker died that held it among others. */
  suspect(): void {
    this.#deaths = Math.max(this.#deaths, 1);
  }

  /** A worker died that held it alone. @returns what was made of it, for people; null when it is simply delivered again */
  blame(how: string): string | null {
    this.#deaths++;
    const { rangeNo, number, documentCount } = this.batch;
    if (this.#deaths < deathsToSplit) return null;
    const { drain } = this.batch;
    if (drain !== undefined && drain.seqs.length > 1) {
      this.batch = { ...this.batch, drain: { ...drain, isGivenUp: true } };
      return `the changed documents of slot ${drain.slot} end workers and are read again one by one`;
    }
    // It has no documents any more, so that something else ends the workers.
    if (documentCount === 0) return null;
    if (documentCount === 1) {
      this.batch = { ...this.batch, poison: `${this.#deaths} workers ended over it; the last ${how}` };
      return `document ${number} of range ${rangeNo} ends workers and becomes a dead letter`;
    }
    const [first, second] = splitBatch(this.batch);
    this.batch = first;
    this.#rest.unshift(second);
    this.#deaths = deathsInherited;
    return `batch ${number} of range ${rangeNo} (${documentCount} documents) ends workers and is split`;
  }

  /**
   * Applies an ack: goes on to the next part that it does not cover. (An ack for a part may tell that the whole was
   * committed by a worker that died before its own ack.)
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
        `batch ${batchKey(batch)} was acked with ${ack.documentCount} documents, which is not what was sent`,
      );
    }
    this.#deaths = next === undefined ? 0 : deathsInherited;
    this.isSettled = next === undefined;
    if (next !== undefined) this.batch = next;
    return settled;
  }

  /** Nothing of it is left to deliver. */
  isSettled = false;
}
