/** Limits of following. Tests use their own. */

export interface FollowLimits {
  /**
   * Maximum changes in the journal (plus about one reply). Then the reader waits, so that the journal does not fill the disk: the
   * oplog keeps the rest.
   */
  readonly maxJournal: number;
  /** Maximum noted documents of a collection. With more, comparing all documents again is less work. */
  readonly maxNoted: number;
}

export const followLimits: FollowLimits = { maxJournal: 5_000_000, maxNoted: 5_000_000 };
