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
  historyLost: 7,
  notReady: 8,
  sighup: 129,
  sigint: 130,
  sigterm: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An expected failure: says what went wrong and what to do, and ends the command with its code. */
export class MigrationError extends Error {
  readonly exitCode: ExitCode;
  /** Names the failure for programs: it stays the same when the message is worded otherwise. */
  readonly code: string;
  /** One sentence that tells the way out; empty when the message already does. */
  readonly fix: string;
  /** A server was given up: what else needs it will fail as well. */
  readonly isServerGone: boolean;

  constructor(exitCode: ExitCode, message: string, options: ErrorDetails) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.exitCode = exitCode;
    this.code = options.code;
    this.fix = options.fix ?? '';
    this.isServerGone = options.isServerGone ?? false;
  }
}

export interface ErrorDetails {
  /** `UPPER_CASE`; docs/troubleshooting.md has the list. */
  readonly code: string;
  readonly fix?: string;
  readonly isServerGone?: boolean;
  readonly cause?: unknown;
}

/** A setting is wrong or missing: change the command, the environment or `.env`. */
export class UsageError extends MigrationError {
  constructor(message: string, options: ErrorDetails) {
    super(ExitCode.usage, message, options);
  }
}

/** MongoDB, or a dump, could not be reached or read. */
export class SourceError extends MigrationError {
  constructor(message: string, options: ErrorDetails) {
    super(ExitCode.source, message, options);
  }
}

/** A dump is cut off or corrupt at some byte: what came before it was read, and nothing after it ever will be. */
export class DamagedDumpError extends SourceError {}

/** The collection is empty, or nothing of it matches the filter; of several, it is left out. */
export class NothingToCopyError extends SourceError {}

/** The database has no collection of that name. */
export class NoCollectionError extends SourceError {}

/** A source that is not there any more, or not what it was when it was opened: what was read of it is not all of it. */
export class SourceChangedError extends SourceError {}

/** The server does not know any more what changed since the stream was read last. */
export class HistoryLostError extends MigrationError {
  constructor(message: string, options: ErrorDetails) {
    super(ExitCode.historyLost, message, options);
  }
}

/** PostgreSQL could not be reached or written. */
export class TargetError extends MigrationError {
  constructor(message: string, options: ErrorDetails) {
    super(ExitCode.target, message, options);
  }
}

/** What asks a process to end: Ctrl-C, whoever manages it, and a terminal that is closed. */
export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof stopSignals)[number];

const exitCodes = {
  SIGINT: ExitCode.sigint,
  SIGTERM: ExitCode.sigterm,
  SIGHUP: ExitCode.sighup,
} as const satisfies Record<StopSignal, ExitCode>;

/** The user asked the run to stop. */
export class InterruptedError extends MigrationError {
  constructor(signal: StopSignal, fix = '') {
    super(exitCodes[signal], `stopped by ${signal}`, { code: 'INTERRUPTED', fix });
  }
}

/** An error as it crosses from a worker to the primary. */
export interface WireError {
  /** Of its class: what catches it at the other end asks for that. */
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
  readonly isServerGone: boolean;
}

/** By their names, which minifying would change: nothing does that here. */
const classes = {
  MigrationError,
  UsageError,
  SourceError,
  DamagedDumpError,
  NothingToCopyError,
  NoCollectionError,
  SourceChangedError,
  HistoryLostError,
  TargetError,
  InterruptedError,
};

export function toWireError(error: unknown): WireError {
  if (error instanceof MigrationError) {
    const { name, message, code, fix, exitCode, isServerGone } = error;
    return { name, message, code, fix, exitCode, isServerGone };
  }
  // An unexpected error is a defect of ours, and its stack is what a report of it needs.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const { exitCode, code, name } = new MigrationError(ExitCode.internal, message, { code: 'INTERNAL' });
  return { name, message, code, fix: '', exitCode, isServerGone: false };
}

export function fromWireError({ name, exitCode, message, ...details }: WireError): MigrationError {
  if (name === 'InterruptedError') {
    const signal = stopSignals.find((name) => exitCodes[name] === exitCode) ?? 'SIGTERM';
    return new InterruptedError(signal, details.fix);
  }
  const Class = name in classes ? classes[name as keyof typeof classes] : classOf(exitCode);
  if (Class === MigrationError) return new MigrationError(exitCode, message, details);
  return new (Class as typeof UsageError)(message, details);
}

/** For one whose class is another file's own. */
function classOf(exitCode: ExitCode): typeof MigrationError | typeof UsageError {
  if (exitCode === ExitCode.usage) return UsageError;
  if (exitCode === ExitCode.source) return SourceError;
  if (exitCode === ExitCode.historyLost) return HistoryLostError;
  return exitCode === ExitCode.target ? TargetError : MigrationError;
}

/** The same failure, of the same class, with another way out. */
export function withFix(error: MigrationError, fix: string): MigrationError {
  const copy = fromWireError({ ...toWireError(error), fix });
  copy.cause = error;
  return copy;
}
