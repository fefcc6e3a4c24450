/** Counts what was compared, and what was found: in a range, or in a collection. */

import type { Comparison, Difference } from '../../observe/comparison.ts';
import { maxNamed } from './shown-values.ts';

const nothing = {
  ...{ read: 0, compared: 0, bytes: 0 },
  ...{ equal: 0, missing: 0, different: 0, deadLettered: 0, dropped: 0, rows: 0, childRows: 0 },
};

/** `read` and `compared` are documents; the others are as in `Comparison`. */
type Counts = Readonly<typeof nothing>;

/** Stored in the ledger by a host that has compared a range, for the leader. */
export interface TallyRecord extends Counts {
  /** With each `_id` in hexadecimal. */
  readonly differences: readonly (Omit<Difference, 'idBson'> & { readonly idBson: string })[];
}

export class Tally {
  #counts: Counts = nothing;
  #differences: Difference[] = [];

  static fromRecord({ differences, ...counts }: TallyRecord): Tally {
    const tally = new Tally();
    tally.#counts = counts;
    tally.#differences = differences.map((difference) => ({
      ...difference,
      idBson: Buffer.from(difference.idBson, 'hex'),
    }));
    return tally;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** The first of them: no more than are named. */
  get differences(): readonly Difference[] {
    return this.#differences;
  }

  countRead(documents: number): void {
    this.#add({ read: documents });
  }

  /** To be called when documents are handed to a worker. */
  countCompared(documents: number): void {
    this.#add({ compared: documents });
  }

  countBytes(bytes: number): void {
    this.#add({ bytes });
  }

  addComparison(found: Comparison): void {
    const { equal, missing, different, deadLettered, dropped, rows, childRows, differences } = found;
    this.#add({ equal, missing, different, deadLettered, dropped, rows, childRows });
    this.#name(differences);
  }

  addTally({ counts, differences }: Tally): void {
    this.#add(counts);
    this.#name(differences);
  }

  toRecord(): TallyRecord {
    const differences = this.#differences.map((difference) => ({
      ...difference,
      idBson: Buffer.from(difference.idBson).toString('hex'),
    }));
    return { ...this.#counts, differences };
  }

  #add(more: Partial<Counts>): void {
    const sums = { ...this.#counts };
    for (const name of Object.keys(more) as (keyof Counts)[]) sums[name] += more[name] ?? 0;
    this.#counts = sums;
  }

  #name(differences: readonly Difference[]): void {
    const room = maxNamed - this.#differences.length;
    if (room > 0) this.#differences.push(...differences.slice(0, room));
  }
}
