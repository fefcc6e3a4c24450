/** The wanted number of workers, and the observations by which it is decided. */

export interface Crew {
  /** Apart from the primary. */
  readonly workers: number;
  /** One worker runs inside the primary, without a fork. */
  readonly isInside: boolean;
  /** Per worker. */
  readonly connections: number;
}

/** One batch for each connection, and one in transit, so that a worker never waits for the next. */
export function creditOf({ connections }: Pick<Crew, 'connections'>): number {
  return connections + 1;
}

/** Includes workers that are being replaced. */
export function countWorkers({ workers, isInside }: Crew): number {
  return Math.max(1, workers + (isInside ? 1 : 0));
}

/** The present state, and measurements since the crew was last changed. */
export interface Observation {
  readonly nowMs: number;
  /** Whether there is work, or will be soon. */
  readonly hasWork: boolean;
  /** Whether the work is worth a fork, by what is expected and what was submitted. */
  readonly isLarge: boolean;
  /** Approximate remaining bytes; Infinity if unknown. */
  readonly bytesLeft: number;
  /** Whether all workers of the crew are ready, with their connections. */
  readonly isComplete: boolean;
  /** Whether a batch waits because no worker has credit. */
  readonly isPressed: boolean;
  readonly seen: Seen;
}

export interface Seen {
  /** Acks of the worker with the fewest. */
  readonly acks: number;
  /** The smallest share of its time, 0 to 1, that any worker spent transcoding, or waiting for Postgres while it had a batch. */
  readonly transcodeShare: number;
  readonly stalledShare: number;
  /** The shortest time for a statement with little work; null if unknown. */
  readonly roundTripMs: number | null;
  /** For all workers together. */
  readonly bytesPerMs: number;
  /** How busy the processors of this machine were, 0 to 1; null if unknown. A function, since measuring costs time. */
  processorShare(): number | null;
}

/** Decides how many workers and connections there are. */
export interface Sizing {
  readonly crew: Crew;
  /** Whether the crew can change. */
  readonly isOpen: boolean;
  /** @returns the new crew; the same object if nothing changes */
  decide(seen: Observation): Crew;
  /** The reason for the size, for messages; null if it was set by the user. */
  explain(): string | null;
}

/** A fixed number of workers, with one connection each. */
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
