/** The condition of a filter's operator on one field. */
import type { RawValue } from '../raw-value.ts';
import { allIds } from './id-bounds.ts';
import type { Interval } from './id-bounds.ts';

/** A condition on the value of one field. */
export interface Condition {
  /** Whether a value meets the condition. */
  readonly matches: (value: RawValue) => boolean;
  readonly matchesMissing: boolean;
  /** Whether an array also matches if one of its elements does. */
  readonly isForElements: boolean;
  /** True for operators such as `$ne`: the result is negated, over all values of the path. */
  readonly isNegated: boolean;
  /** The intervals that contain all matching `_id`s. */
  readonly idIntervals: readonly Interval[];
  /** Whether all `_id`s in these intervals match, so that documents need not be tested. */
  readonly isCoveredByIntervals: boolean;
}

/** The defaults of a condition for which the index on `_id` is of no use. */
export const uncovered = {
  matchesMissing: false,
  isForElements: true,
  isNegated: false,
  idIntervals: allIds,
  isCoveredByIntervals: false,
} as const;
