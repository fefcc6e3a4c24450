/**
 * Limits a crew to a share of the connections, which may change. Another sizing decides the crew; here it is reduced to the share.
 */

import type { Crew, Observation, Sizing } from './crew.ts';

/** How many connections the workers of this process may have together. */
export interface Share {
  readonly connections: number;
}

export class SharedSize implements Sizing {
  readonly isOpen = true;
  readonly #sizing: Sizing;
  readonly #share: Share;
  #crew: Crew;

  constructor(sizing: Sizing, share: Share) {
    this.#sizing = sizing;
    this.#share = share;
    this.#crew = fit(sizing.crew, share);
  }

  get crew(): Crew {
    return this.#crew;
  }

  decide(seen: Observation): Crew {
    const fitted = fit(this.#sizing.decide(seen), this.#share);
    // Returning the same object means that nothing changes.
    if (!isSame(fitted, this.#crew)) this.#crew = fitted;
    return this.#crew;
  }

  explain(): string | null {
    return this.#sizing.explain();
  }
}

/** Reduces the connections per worker before the number of workers. */
function fit(crew: Crew, { connections: most }: Share): Crew {
  const inside = crew.isInside ? 1 : 0;
  const workers = Math.min(crew.workers, Math.max(1, most) - inside);
  const units = Math.max(1, workers + inside);
  return { ...crew, workers, connections: Math.max(1, Math.min(crew.connections, Math.floor(most / units))) };
}

function isSame(a: Crew, b: Crew): boolean {
  return a.workers === b.workers && a.isInside === b.isInside && a.connections === b.connections;
}
