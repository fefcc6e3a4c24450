/** Whether a job continues when one of its collections fails. */

import { ExitCode, InterruptedError, MigrationError } from '../common/errors.ts';
import type { Failure } from '../observe/outcome.ts';

/** @param error if it is not a MigrationError, it is a bug, and only its message is shown */
export function describeFailure(source: string, error: unknown): Failure {
  const explained =
    error instanceof MigrationError
      ? error
      : new MigrationError(ExitCode.internal, error instanceof Error ? error.message : String(error), {
          code: 'INTERNAL',
        });
  const { message, fix, code, exitCode } = explained;
  return { source, message, fix, code, exitCode };
}

/** Whether the other collections stop too: on an interruption, on a lost server, on a bug, and if another process has taken over. */
export function stopsAll(error: unknown, signal: AbortSignal): boolean {
  if (!(error instanceof MigrationError) || error.code === 'RUN_TAKEN_OVER') return true;
  return signal.aborted || error instanceof InterruptedError || error.isServerGone;
}
