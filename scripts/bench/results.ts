/** The measurements as stored in a file, and the numbers that are reported. */

import type { Case } from './cases.ts';
import type { Run } from './contestant.ts';

export interface Result {
  readonly name: string;
  readonly runs: readonly Run[];
}

export interface CaseResult extends Pick<Case, 'name' | 'kind' | 'amount'> {
  /** If it differs from that of all results. */
  readonly date?: string;
  readonly bsonBytes: number;
  readonly results: readonly Result[];
  /** `mongo2pg verify` after each round, in ms. */
  readonly verifyMs: readonly number[];
}

export interface Results {
  /** A line each. */
  readonly machine: readonly string[];
  readonly date: string;
  readonly cases: readonly CaseResult[];
}

/** One contestant with so many documents, among cases that differ in nothing else. */
export function isGrowth({ name }: Pick<Case, 'name'>): boolean {
  return name.startsWith('grow-');
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** Of the runs that report it; null if none does. */
export function medianOf(runs: readonly Run[], pick: (run: Run) => number | null | undefined): number | null {
  const values = runs.map(pick).filter((value): value is number => value !== null && value !== undefined);
  return values.length === 0 ? null : median(values);
}

export function wallMsOf({ runs }: Result): number[] {
  return runs.map(({ wallMs }) => wallMs);
}

/** Round by round, so that an hour in which the machine was busy counts for both; null if it is unknown. */
export function ratio(result: Result, base: Result, pick: (run: Run) => number | null): number | null {
  const ratios = result.runs.map((run, round) => {
    const [value, beside] = [pick(run), base.runs[round] === undefined ? null : pick(base.runs[round])];
    return value === null || beside === null || beside === 0 ? null : value / beside;
  });
  const known = ratios.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}
