/** What becomes of a job when one of its collections fails. */

import { ExitCode, InterruptedError, MigrationError } from '../common/errors.ts';
import type { Failure } from '../observe/events.ts';

/** @param error a defect of ours tells no more than its message */
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

/** The user wants to stop, a server is gone that the other collections need as well, or it is a defect of ours. */
export function isEndOfAll(error: unknown, signal: AbortSignal): boolean {
  if (!(error instanceof MigrationError)) return true;
  return signal.aborted || error instanceof InterruptedError || error.isServerGone;
}
