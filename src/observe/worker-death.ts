/** The end of a worker, as it is told. Apart from what workers are told and answer, which events have no need of. */

/** A worker that ended before it was told to. */
export interface WorkerDeath {
  readonly id: string;
  /** How it ended, for people: what follows `worker 4711`. */
  readonly how: string;
  /** Another one takes its place, and what it held. */
  readonly isReplaced: boolean;
  /** What was made of the batch that it was at, for people; null when it is simply delivered again. */
  readonly consequence: string | null;
}
