/** What an operator of a filter asks of one field. */
import type { RawValue } from './bson-view.ts';
import { allIds } from './id-bounds.ts';
import type { Interval } from './id-bounds.ts';

/** A condition on the value of one field. */
export interface Condition {
  /** Whether a value meets the condition. */
  readonly matches: (value: RawValue) => boolean;
  readonly matchesMissing: boolean;
  /** Whether an array also meets it through one of its elements. */
  readonly isForElements: boolean;
  /** True for `$ne` and the like: the condition holds where the rest of it does not, over all values of a path. */
  readonly isNegated: boolean;
  /** Where matching `_id`s lie. */
  readonly idIntervals: readonly Interval[];
  /** Whether all `_id`s in these intervals match, so that documents need no look. */
  readonly isCoveredByIntervals: boolean;
}

/** A condition that the index knows nothing of. */
export const uncovered = {
  matchesMissing: false,
  isForElements: true,
  isNegated: false,
  idIntervals: allIds,
  isCoveredByIntervals: false,
} as const;
