/** The errors that a user can meet, grouped by what the user does next, and the exit code of each. */

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

/** Marks the errors of this tool, whichever copy of this module created them. */
const isOurs = Symbol.for('mongo2pg.error');

/** An expected failure. It says what went wrong and what to do; the command ends with `exitCode`. */
export class MigrationError extends Error {
  readonly exitCode: ExitCode;
  /** Names the failure for programs. It stays the same when the wording of the message changes. */
  readonly code: string;
  /** One sentence that says how to fix it; empty when the message already does. */
  readonly fix: string;
  /** A server stayed unreachable: all other work that needs it will fail as well. */
  readonly isServerGone: boolean;

  constructor(exitCode: ExitCode, message: string, options: ErrorDetails) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.exitCode = exitCode;
    this.code = options.code;
    this.fix = options.fix ?? '';
    this.isServerGone = options.isServerGone ?? false;
  }

  /** The trial servers are outside the bundle that users run, and so load a second copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== MigrationError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return value instanceof Error && isOurs in value;
  }

  static {
    Object.defineProperty(this.prototype, isOurs, { value: true });
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

/** A dump is cut off or corrupt at some byte. Everything before that byte was read; nothing after it can be. */
export class DamagedDumpError extends SourceError {}

/** The collection is empty, or no document matches the filter. If several collections are copied, it is skipped. */
export class NothingToCopyError extends SourceError {}

/** The database has no collection of that name. */
export class NoCollectionError extends SourceError {}

/** The source was removed or replaced after it was opened, so what was read of it is incomplete. */
export class SourceChangedError extends SourceError {}

/** The server no longer has the changes since the stream was last read. */
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

/** The signals that ask a process to end: Ctrl-C, the service manager, and a closed terminal. */
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
  /** The name of its class, so that the receiver can restore it. */
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
  readonly isServerGone: boolean;
}

/** Looked up by name, so the bundle must not be minified. */
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
  // An unexpected error is a defect of this tool; a bug report needs the stack.
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

/** For an error whose class is private to another file. */
function classOf(exitCode: ExitCode): typeof MigrationError | typeof UsageError {
  if (exitCode === ExitCode.usage) return UsageError;
  if (exitCode === ExitCode.source) return SourceError;
  if (exitCode === ExitCode.historyLost) return HistoryLostError;
  return exitCode === ExitCode.target ? TargetError : MigrationError;
}

/** A copy of the error, of the same class, with another `fix`. */
export function withFix(error: MigrationError, fix: string): MigrationError {
  const copy = fromWireError({ ...toWireError(error), fix });
  copy.cause = error;
  return copy;
}
