/**
 * Copies small collections side by side. A small one alone keeps a single worker busy while the others idle, and spends
 * most of its time on the plan, the table and the ledger. One bound on batches in flight holds for all lanes together. Each
 * further lane costs a connection to PostgreSQL, and a page in the primary.
 */

import { MigrationError } from '../../common/errors.ts';
import type { Lane } from '../lane.ts';
import type { CollectionInfo } from '../../config/collection-choice.ts';
import type { Size } from '../workforce.ts';

/** As much as a reply of MongoDB can hold: read in a page or a few. */
const smallBytes = 16_000_000;

/** By measurement (docs/benchmarks.md): more of them gain little, and each costs connections. */
const maxLanes = 4;

/** A lane's own, and one for an index that it builds. */
const connectionsPerLane = 2;

/** The names of those that can be copied side by side, in their order. One whose size is unknown is not among them. */
export function listSmall(chosen: readonly CollectionInfo[]): string[] {
  return chosen.filter(({ bytes }) => bytes > 0 && bytes <= smallBytes).map(({ name }) => name);
}

/** At least one. Two for each worker keep it busy. */
export function countLanes(collections: number, { workers, connectionsLeft }: Size): number {
  const bearable = 1 + Math.floor(connectionsLeft / connectionsPerLane);
  return Math.max(1, Math.min(collections, maxLanes, 2 * workers, bearable));
}

export interface SideBySideOptions {
  readonly lanes: number;
  /** The first of them. */
  readonly lane: Lane;
  /** Opens another one for as long as it is used. */
  openLane(use: (lane: Lane) => Promise<void>): Promise<void>;
  /** Ends the work of all lanes. */
  readonly signal: AbortSignal;
  /** @param signal aborted when another one fails for a reason that ends all. @throws only such a reason */
  work(name: string, lane: Lane, signal: AbortSignal): Promise<void>;
}

/** Begins them in the given order. @throws the reason that ended all, once all have ended */
export async function runSideBySide(names: readonly string[], options: SideBySideOptions): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const errors: unknown[] = [];
  // All lanes take from the one iterator.
  const queue = names.values();
  const use = async (lane: Lane): Promise<void> => {
    for (const name of queue) {
      signal.throwIfAborted();
      await options.work(name, lane, signal);
    }
  };
  const endAll = (error: unknown): void => {
    errors.push(error);
    failure.abort(error);
  };
  const others = Array.from({ length: options.lanes - 1 }, () => options.openLane(use).catch(endAll));
  await Promise.all([use(options.lane).catch(endAll), ...others]);
  if (errors.length === 0) return;
  // Prefer the error of one that was in the middle of its run: it says how to resume.
  throw errors.find((error) => error instanceof MigrationError && error.fix !== '') ?? errors[0];
}
