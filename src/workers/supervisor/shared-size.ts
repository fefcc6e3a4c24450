/**
 * Keeps a crew within a share of the connections, which may change while it works. Somebody else decides about the crew
 * itself; here it is cut down to what the share has.
 */

import type { Crew, Observation, Sizing } from './crew.ts';

/** Of all connections, those that the workers of this process may have together. */
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
    // The same object says that nothing changes.
    if (!isSame(fitted, this.#crew)) this.#crew = fitted;
    return this.#crew;
  }

  explain(): string | null {
    return this.#sizing.explain();
  }
}

/** Fewer connections of each come before fewer workers. */
function fit(crew: Crew, { connections: most }: Share): Crew {
  const inside = crew.isInside ? 1 : 0;
  const workers = Math.min(crew.workers, Math.max(1, most) - inside);
  const units = Math.max(1, workers + inside);
  return { ...crew, workers, connections: Math.max(1, Math.min(crew.connections, Math.floor(most / units))) };
}

function isSame(a: Crew, b: Crew): boolean {
  return a.workers === b.workers && a.isInside === b.isInside && a.connections === b.connections;
}
