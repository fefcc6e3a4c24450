/** How much is followed, by how many, and for how long. */

export interface FollowSettings {
  readonly amount: number;
  readonly changes: number;
  readonly workers: number;
  readonly rounds: number;
  /** Changes a second, and for how long; 0 seconds skip it. */
  readonly rate: number;
  readonly seconds: number;
}
