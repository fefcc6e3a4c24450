/** The outcome of a command for its collections. */

import type { ExitCode } from '../common/errors.ts';
import type { Summary } from './summary.ts';
import type { VerificationSummary } from './verification-summary.ts';

/** A collection that could not be copied, or compared, with the error. */
export interface Failure {
  readonly source: string;
  /** Stays the same when the wording of the message changes. */
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
}

/** A collection that an earlier start has finished, so that nothing was left to do. */
export interface CopiedBefore {
  readonly source: string;
  readonly runId: string;
  readonly copied: number;
  readonly deadLettered: number;
  readonly dropped: number;
}

/** The outcome of a copy. */
export interface Outcome {
  readonly summaries: readonly Summary[];
  readonly copiedBefore: readonly CopiedBefore[];
  /** The collections that failed, if there are several; the failure of a single one is thrown. */
  readonly failures: readonly Failure[];
  /** From the start to the end of the command. Less than the sum of the collections if some were copied in parallel. */
  readonly totalMs: number;
}

/** `now`: all is equal, and following has ended. `before`: an earlier cutover had ended it. `ready`: with CHECK, cutover is possible. */
export type CutoverState = 'now' | 'before' | 'ready';

export interface CutoverOutcome {
  readonly state: CutoverState;
  /** Stopped collections that were left out. */
  readonly leftOut: readonly string[];
  /** The results of the comparison; empty if nothing was compared. */
  readonly summaries: readonly VerificationSummary[];
}
