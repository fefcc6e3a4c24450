/** What becomes of a job when one of its collections fails. */

import { ExitCode, InterruptedError, MigrationError } from '../common/errors.ts';
import type { Failure } from '../observe/outcome.ts';

/** @param error of one that is not a MigrationError, and so a bug, only the message is shown */
export function describeFailure(source: string, error: unknown): Failure {
  const told =
    error instanceof MigrationError
      ? error
      : new MigrationError(ExitCode.internal, error instanceof Error ? error.message : String(error), {
          code: 'INTERNAL',
        });
  const { message, fix, code, exitCode } = told;
  return { source, message, fix, code, exitCode };
}

/** Whether the other collections end too: on an interruption, on a lost server that they need as well, and on a bug. */
export function isEndOfAll(error: unknown, signal: AbortSignal): boolean {
  if (!(error instanceof MigrationError)) return true;
  return signal.aborted || error instanceof InterruptedError || error.isServerGone;
}
