/** Where readers get their ranges from, and where it is written down what became of them. */

import type { Interval, Range } from '../page.ts';

export interface RangeQueue {
  /** The next range, which the caller owns from now on; null when there is none left. */
  take(): Promise<Range | null>;
  /** Ends a range at `cut`. @returns the range of what comes after it, which the caller owns */
  split(range: Range, cut: Uint8Array): Promise<Range>;
  /** A range was read to its end. @param last the position of the last document found in it; null if there was none */
  finish(range: Pick<Range, 'rangeNo' | 'epoch'>, last: Uint8Array | null): Promise<void>;
}

/** For what is read in one go, and not continued. */
export class MemoryRangeQueue implements RangeQueue {
  readonly #ranges: Range[] = [];
  #opened = 0;

  constructor(intervals: readonly Interval[]) {
    for (const interval of intervals) this.#ranges.push(this.#open(interval));
  }

  take(): Promise<Range | null> {
    return Promise.resolve(this.#ranges.shift() ?? null);
  }

  split({ until }: Range, cut: Uint8Array): Promise<Range> {
    return Promise.resolve(this.#open({ after: cut, until }));
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  #open({ after, until }: Interval): Range {
    return { rangeNo: ++this.#opened, epoch: 1, after, until };
  }
}
