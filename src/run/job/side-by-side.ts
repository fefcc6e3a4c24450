/**
 * Copies small collections concurrently. A single small one keeps only one worker busy, and takes most of its time for the plan,
 * the table and the ledger. The limit on batches in flight holds for all lanes together. Each further lane costs a connection to
 * PostgreSQL, and a page in the memory of the primary.
 */

import { MigrationError } from '../../common/errors.ts';
import type { Lane } from '../lane.ts';
import type { CollectionInfo } from '../../config/collection-choice.ts';
import type { Size } from '../workforce.ts';

/** As much as a reply of MongoDB can hold, so that it is read in a few pages. */
const smallBytes = 16_000_000;

/** By measurement (docs/benchmarks.md): more lanes gain little, and each costs connections. */
const maxLanes = 4;

/** The lane's own, and one to build an index. */
const connectionsPerLane = 2;

/** The names of collections that can be copied concurrently, in order. Excludes those of unknown size. */
export function listSmall(chosen: readonly CollectionInfo[]): string[] {
  return chosen.filter(({ bytes }) => bytes > 0 && bytes <= smallBytes).map(({ name }) => name);
}

/** At least one lane. Two per worker keep it busy. */
export function countLanes(collections: number, { workers, connectionsLeft }: Size): number {
  const bearable = 1 + Math.floor(connectionsLeft / connectionsPerLane);
  return Math.max(1, Math.min(collections, maxLanes, 2 * workers, bearable));
}

export interface SideBySideOptions {
  readonly lanes: number;
  /** The first of them. */
  readonly lane: Lane;
  /** Opens another lane, for as long as it is used. */
  openLane(use: (lane: Lane) => Promise<void>): Promise<void>;
  /** Stops all lanes. */
  readonly signal: AbortSignal;
  /** @param signal aborted when another collection fails with an error that stops all @throws only such errors */
  work(name: string, lane: Lane, signal: AbortSignal): Promise<void>;
}

/** Begins them in the given order. @throws the error that stopped all, once all lanes have ended */
export async function runSideBySide(names: readonly string[], options: SideBySideOptions): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const errors: unknown[] = [];
  // All lanes share one iterator.
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
  // Prefer the error of a collection in the middle of its run: its fix says how to resume.
  throw errors.find((error) => error instanceof MigrationError && error.fix !== '') ?? errors[0];
}
