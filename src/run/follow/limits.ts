/** What following keeps within bounds, however long it goes on; a test has bounds of its own. */

export interface FollowLimits {
  /** Changes in the journal, about a reply more; with more the reader waits: the server keeps the rest, and disks are not filled by us. */
  readonly maxJournal: number;
  /** Documents of a collection that are noted to be compared again; with more it is less work to compare all again. */
  readonly maxNoted: number;
}

export const followLimits: FollowLimits = { maxJournal: 5_000_000, maxNoted: 5_000_000 };
