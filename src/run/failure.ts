/** Whether a job continues when one of its collections fails. */

import { ExitCode, InterruptedError, MigrationError, toWireError } from '../common/errors.ts';
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

/** Codes of errors that another machine may not have: its workers live, and its files are there. */
const codesOfMachine: ReadonlySet<string> = new Set([
  'WORKERS_KEEP_DYING',
  'TRANSFORM_UNREADABLE',
  'TRANSFORM_CHANGED',
  'SCRIPT_UNREADABLE',
]);

/** Whether an error may be of this machine alone. Servers that this machine does not reach are not meant: see `isServerGone`. */
export function isOfMachine(error: unknown): boolean {
  if (error instanceof MigrationError) {
    return error instanceof HandedOverError || codesOfMachine.has(error.code);
  }
  // An error of the operating system, such as a full disk, or no more processes.
  return error instanceof Error && 'syscall' in error;
}

/** Says whether another host is to lead because of an error: it is of this machine, and there is another host. */
export type HandsOver = (error: unknown) => Promise<boolean>;

/** The error of a leader in whose place another host leads. It ends all that this host does. */
export class HandedOverError extends MigrationError {
  /** @param cause the error of this machine */
  constructor(cause: unknown) {
    const { message, exitCode, code, fix } = toWireError(cause);
    super(exitCode, message, { code, fix, cause });
  }
}

/** @returns the error to end with: as it is, unless another host is to lead */
export async function handOverIf(error: unknown, handsOver: HandsOver | undefined): Promise<unknown> {
  return (await handsOver?.(error)) === true ? new HandedOverError(error) : error;
}

/**
 * Whether the other collections stop too: on an interruption, on a lost server, on a bug, and if another process has taken over, or is to.
 */
export function stopsAll(error: unknown, signal: AbortSignal): boolean {
  if (!(error instanceof MigrationError) || error.code === 'RUN_TAKEN_OVER') return true;
  if (error instanceof HandedOverError) return true;
  return signal.aborted || error instanceof InterruptedError || error.isServerGone;
}
