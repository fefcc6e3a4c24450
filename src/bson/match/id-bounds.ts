/** Intervals of `_id` in MongoDB's order: the part of the index that a filter needs. */
import type { RawValue } from '../raw-value.ts';
import { rankOf } from '../types.ts';
import { byBytes, compareRaw, compareValues, type TextOrder } from './compare.ts';

/**
 * A cut between two values: just before (side -1) or just after (side 1) `value`. If `value` is null: before or after all
 * values of the rank.
 */
export interface Bound {
  readonly rank: number;
  readonly value: RawValue | null;
  readonly side: -1 | 1;
  /** The collation of strings; absent for the order of bytes. Bounds to be compared must have the same. */
  readonly order?: TextOrder;
}

export interface Interval {
  readonly low: Bound;
  readonly high: Bound;
}

/** Rank 0 is below MinKey's, 255 above MaxKey's. */
export const allIds: readonly Interval[] = [
  { low: { rank: 0, value: null, side: -1 }, high: { rank: 255, value: null, side: 1 } },
];

export function before(value: RawValue, order: TextOrder = byBytes): Bound {
  return { rank: rankOf(value.type), value, side: -1, order };
}

export function after(value: RawValue, order: TextOrder = byBytes): Bound {
  return { rank: rankOf(value.type), value, side: 1, order };
}

export function startOfRank(rank: number): Bound {
  return { rank, value: null, side: -1 };
}

export function endOfRank(rank: number): Bound {
  return { rank, value: null, side: 1 };
}

export function compareBounds(a: Bound, b: Bound): number {
  if (a.rank !== b.rank) {
    return a.rank - b.rank;
  }
  if (a.value === null) {
    return b.value === null ? a.side - b.side : a.side;
  }
  if (b.value === null) {
    return -b.side;
  }
  return compareRaw(a.value, b.value, a.order) || a.side - b.side;
}

/** Negative if the value is before the bound, positive if after. Never 0, because a bound is a cut between values. */
export function compareToBound(type: number, bytes: Buffer, start: number, bound: Bound): number {
  if (bound.value === null) {
    return rankOf(type) - bound.rank || -bound.side;
  }
  const { value, order } = bound;
  return compareValues(type, bytes, start, value.type, value.bytes, value.start, order) || -bound.side;
}

/** Sorts intervals and joins those that overlap. */
export function unite(intervals: readonly Interval[]): Interval[] {
  const sorted = [...intervals].sort((a, b) => compareBounds(a.low, b.low));
  const united: Interval[] = [];
  for (const interval of sorted) {
    const last = united.at(-1);
    if (last !== undefined && compareBounds(interval.low, last.high) <= 0) {
      const high = compareBounds(interval.high, last.high) > 0 ? interval.high : last.high;
      united[united.length - 1] = { low: last.low, high };
    } else {
      united.push(interval);
    }
  }
  return united;
}

/** The intersection of two sorted lists of disjoint intervals. */
export function intersect(a: readonly Interval[], b: readonly Interval[]): readonly Interval[] {
  if (a === allIds) return b;
  if (b === allIds) return a;
  const common: Interval[] = [];
  let indexA = 0;
  let indexB = 0;
  for (;;) {
    const first = a[indexA];
    const second = b[indexB];
    if (first === undefined || second === undefined) {
      return common;
    }
    const low = compareBounds(first.low, second.low) > 0 ? first.low : second.low;
    const endsFirst = compareBounds(first.high, second.high) < 0;
    const high = endsFirst ? first.high : second.high;
    if (compareBounds(low, high) < 0) {
      common.push({ low, high });
    }
    if (endsFirst) {
      indexA++;
    } else {
      indexB++;
    }
  }
}
