/** How often a fail point takes effect. */
import type { CommandReader } from './command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from './errors.ts';

type Mode =
  { kind: 'off' } | { kind: 'alwaysOn' } | { kind: 'times'; left: number } | { kind: 'skip'; left: number };

export class FailPointMode {
  readonly #mode: Mode;
  #hitCount: number;

  constructor(mode: Mode = { kind: 'off' }, hitCount = 0) {
    this.#mode = mode;
    this.#hitCount = hitCount;
  }

  /** The `mode` of a `configureFailPoint` command, of a fail point that was hit so often before. */
  static read(command: CommandReader, hitCount: number): FailPointMode {
    return new FailPointMode(parseMode(command), hitCount);
  }

  /** How often the fail point has taken effect, in this mode and those before. */
  get hitCount(): number {
    return this.#hitCount;
  }

  get isOff(): boolean {
    return this.#mode.kind === 'off';
  }

  /** Whether it takes effect this time. */
  hit(): boolean {
    const mode = this.#mode;
    if (mode.kind === 'off' || (mode.kind === 'times' && mode.left === 0)) {
      return false;
    }
    if (mode.kind === 'skip' && mode.left > 0) {
      mode.left--;
      return false;
    }
    if (mode.kind === 'times') {
      mode.left--;
    }
    this.#hitCount++;
    return true;
  }
}

function parseMode(command: CommandReader): Mode {
  if (command.isString('mode')) {
    const kind = command.string('mode');
    if (kind === 'off' || kind === 'alwaysOn') {
      return { kind };
    }
    throw new CommandError(ErrorCode.badValue, `unknown mode: ${kind ?? ''}`);
  }
  const mode = command.document('mode');
  if (mode === undefined && command.has('mode')) {
    throw new CommandError(ErrorCode.typeMismatch, "'mode' must be a string or JSON object");
  }
  if (mode === undefined) {
    throw new CommandError(ErrorCode.illegalOperation, "When setting a failpoint, you must supply a 'mode'");
  }
  if (mode.has('activationProbability')) {
    throw notImplemented('the mode activationProbability of a fail point');
  }
  const times = mode.count('times');
  if (times !== undefined) {
    return { kind: 'times', left: times };
  }
  const skip = mode.count('skip');
  if (skip !== undefined) {
    return { kind: 'skip', left: skip };
  }
  throw new CommandError(
    ErrorCode.badValue,
    "'mode' must be one of 'off', 'alwaysOn', '{times:n}', '{skip:n}' or '{activationProbability:p}'",
  );
}
