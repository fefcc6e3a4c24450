/** The results of the collections of a job. */

import type { Outcome } from '../../observe/outcome.ts';
import type { Copied } from '../collection/migration.ts';

/** For one collection, or several. */
export type JobResult = Omit<Outcome, 'totalMs'>;

/** Nothing was copied, and nothing failed. */
export const nothing: JobResult = { summaries: [], copiedBefore: [], failures: [] };

export function toResult(copied: Copied): JobResult {
  return copied.kind === 'now'
    ? { ...nothing, summaries: [copied.summary] }
    : { ...nothing, copiedBefore: [copied.account] };
}

export function joinResults(results: readonly JobResult[]): JobResult {
  return {
    summaries: results.flatMap(({ summaries }) => summaries),
    copiedBefore: results.flatMap(({ copiedBefore }) => copiedBefore),
    failures: results.flatMap(({ failures }) => failures),
  };
}
