/** Adds up, over all batches, which values went into the extra column, and why. */

import type { ExtraCount } from './transcode/extra-counter.ts';

export class ExtraTally {
  readonly #counts = new Map<string, ExtraCount>();

  add(counts: readonly ExtraCount[]): void {
    for (const entry of counts) {
      const key = JSON.stringify([entry.field, entry.type, entry.reason]);
      const count = (this.#counts.get(key)?.count ?? 0) + entry.count;
      this.#counts.set(key, { ...entry, count });
    }
  }

  /** The most frequent first. */
  list(): ExtraCount[] {
    return [...this.#counts.values()].sort((a, b) => b.count - a.count);
  }
}
