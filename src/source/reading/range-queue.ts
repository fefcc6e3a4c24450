/** Hands out ranges to readers, and records splits and ends of ranges. */

import type { Interval, Range } from '../page.ts';

export interface RangeQueue {
  /** The next range, which the caller owns from now on; null when there is none left, or none at the moment (see `untilMore`). */
  take(): Promise<Range | null>;
  /** Ends a range at `cut`. @returns the range after it, which the caller owns */
  split(range: Range, cut: Uint8Array): Promise<Range>;
  /** Records that a range was read to its end. @param last the position of its last document; null if it had none */
  finish(range: Pick<Range, 'rangeNo' | 'epoch'>, last: Uint8Array | null): Promise<void>;
  /**
   * Where ranges may come that are not there yet: waits for them. Absent where none come.
   * @param isToStop asked from time to time, to stop waiting
   * @returns whether it pays to ask for a range again; false when none will ever come
   */
  untilMore?(isToStop: () => boolean): Promise<boolean>;
}

/** A queue in memory, for reading that is never resumed. */
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
