/** The errors a user can meet, sorted by what they do next, and the exit code of each. */

/** The exit codes of every command; documented in docs/exit-codes.md. */
export const ExitCode = {
  ok: 0,
  internal: 1,
  usage: 2,
  source: 3,
  target: 4,
  deadLetters: 5,
  different: 6,
  sigint: 130,
  sigterm: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An expected failure: says what went wrong and what to do, and ends the command with its code. */
export class MigrationError extends Error {
  readonly exitCode: ExitCode;
  /** One sentence that tells the way out; empty when the message already does. */
  readonly fix: string;
  /** A server was given up: what else needs it will fail as well. */
  readonly isServerGone: boolean;

  constructor(exitCode: ExitCode, message: string, options: ErrorDetails = {}) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.exitCode = exitCode;
    this.fix = options.fix ?? '';
    this.isServerGone = options.isServerGone ?? false;
  }
}

export interface ErrorDetails {
  readonly fix?: string;
  readonly isServerGone?: boolean;
  readonly cause?: unknown;
}

/** A setting is wrong or missing: change the command, the environment or `.env`. */
export class UsageError extends MigrationError {
  constructor(message: string, options: ErrorDetails = {}) {
    super(ExitCode.usage, message, options);
  }
}

/** MongoDB, or a dump, could not be reached or read. */
export class SourceError extends MigrationError {
  constructor(message: string, options: ErrorDetails = {}) {
    super(ExitCode.source, message, options);
  }
}

/** A dump is cut off or corrupt at some byte: what came before it was read, and nothing after it ever will be. */
export class DamagedDumpError extends SourceError {}

/** The collection is empty, or nothing of it matches the filter; of several, it is left out. */
export class NothingToCopyError extends SourceError {}

/** PostgreSQL could not be reached or written. */
export class TargetError extends MigrationError {
  constructor(message: string, options: ErrorDetails = {}) {
    super(ExitCode.target, message, options);
  }
}

/** The user asked the run to stop. */
export class InterruptedError extends MigrationError {
  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(signal === 'SIGINT' ? ExitCode.sigint : ExitCode.sigterm, `stopped by ${signal}`);
  }
}

/** An error as it crosses from a worker to the primary. */
export interface WireError {
  readonly message: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
  readonly isServerGone: boolean;
}

export function toWireError(error: unknown): WireError {
  if (error instanceof MigrationError) {
    const { message, fix, exitCode, isServerGone } = error;
    return { message, fix, exitCode, isServerGone };
  }
  // An unexpected error is a defect of ours, and its stack is what a report of it needs.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { message, fix: '', exitCode: ExitCode.internal, isServerGone: false };
}

export function fromWireError({ exitCode, message, fix, isServerGone }: WireError): MigrationError {
  return new MigrationError(exitCode, message, { fix, isServerGone });
}
