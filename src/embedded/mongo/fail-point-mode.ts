/** How often a fail point takes effect. */
import type { CommandReader } from './command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from './errors.ts';

type Mode =
  { kind: 'off' } | { kind: 'alwaysOn' } | { kind: 'times'; left: number } | { kind: 'skip'; left: number };

export class FailPointMode {
  readonly #mode: Mode;
  /** How often it has taken effect. */
  hitCount = 0;

  constructor(mode: Mode = { kind: 'off' }) {
    this.#mode = mode;
  }

  /** The `mode` of a `configureFailPoint` command. */
  static read(command: CommandReader): FailPointMode {
    return new FailPointMode(parseMode(command));
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
    this.hitCount++;
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
  if (mode === undefined) {
    throw new CommandError(ErrorCode.badValue, 'configureFailPoint needs a mode');
  }
  if (mode.has('activationProbability')) {
    throw notImplemented('the mode activationProbability of a fail point');
  }
  mode.refuseUnknown(['times', 'skip']);
  const times = mode.count('times');
  if (times !== undefined) {
    return { kind: 'times', left: times };
  }
  const skip = mode.count('skip');
  if (skip !== undefined) {
    return { kind: 'skip', left: skip };
  }
  throw new CommandError(ErrorCode.badValue, 'the mode of a fail point is neither times nor skip');
}
