/** How many workers there are to be, and what is seen of them by whoever decides it. */

export interface Crew {
  /** Beside the primary. */
  readonly workers: number;
  /** One is in the primary itself, and forks nothing. */
  readonly isInside: boolean;
  /** Of each worker. */
  readonly connections: number;
}

/** One batch for each connection, and one on its way, so that a worker never waits for the next. */
export function creditOf({ connections }: Pick<Crew, 'connections'>): number {
  return connections + 1;
}

/** Counts those that are being replaced too. */
export function countWorkers({ workers, isInside }: Crew): number {
  return Math.max(1, workers + (isInside ? 1 : 0));
}

/** What is seen at a moment, and what was seen since the crew was last changed. */
export interface Observation {
  readonly nowMs: number;
  /** There is something to be done, or is about to be. */
  readonly hasWork: boolean;
  /** More than fits into a page is expected, or has come. */
  readonly isLarge: boolean;
  /** About how many bytes are left to be done; Infinity where nobody knows. */
  readonly bytesLeft: number;
  /** All workers of the crew are ready, and have their connections. */
  readonly isComplete: boolean;
  /** A batch waits that no worker has room for. */
  readonly isPressed: boolean;
  readonly seen: Seen;
}

export interface Seen {
  /** Of the worker with the fewest, since when there is something to judge by. */
  readonly acks: number;
  /** The least that a worker spent of its time on transcoding, and on waiting for Postgres with a batch at hand: 0 to 1. */
  readonly transcodeShare: number;
  readonly stalledShare: number;
  /** The shortest way to Postgres and back, with what little it had to do; null where nothing tells. */
  readonly roundTripMs: number | null;
  /** Of all workers together. */
  readonly bytesPerMs: number;
  /** How busy the processors of this machine were, 0 to 1; null where nobody tells. Looking costs something. */
  processorShare(): number | null;
}

/** Decides who is to work. */
export interface Sizing {
  readonly crew: Crew;
  /** Whether the crew can change, so that it pays to look. */
  readonly isOpen: boolean;
  /** @returns the crew from now on: the same object where nothing changes */
  decide(seen: Observation): Crew;
  /** For people: why it is as it is; null where they have said so themselves. */
  explain(): string | null;
}

/** As many workers as somebody has asked for, of one connection each. */
export class FixedSize implements Sizing {
  readonly crew: Crew;
  readonly isOpen = false;

  constructor(workers: number) {
    this.crew = { workers, isInside: false, connections: 1 };
  }

  decide(): Crew {
    return this.crew;
  }

  explain(): null {
    return null;
  }
}
