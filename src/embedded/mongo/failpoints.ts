/**
 * The fail point `failCommand`, as mongod has it for tests of drivers and applications.
 *
 * https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point
 */
import { CommandError, ErrorCode, notImplemented } from './errors.ts';
import type { CommandReader } from './command-reader.ts';

/** What a command that hits the fail point does: wait, then close the connection or fail, or neither. */
export interface FailAction {
  readonly blockMs: number;
  readonly isConnectionClosed: boolean;
  readonly error: CommandError | undefined;
}

type Mode =
  { kind: 'off' } | { kind: 'alwaysOn' } | { kind: 'times'; left: number } | { kind: 'skip'; left: number };

interface FailCommand extends FailAction {
  readonly commands: ReadonlySet<string>;
  readonly appName: string | undefined;
}

export class FailPoints {
  #mode: Mode = { kind: 'off' };
  #failCommand: FailCommand | undefined;
  #hitCount = 0;

  /** Sets the fail point from a `configureFailPoint` command; returns how often it was hit since the server started. */
  configure(command: CommandReader): number {
    const name = command.string('configureFailPoint');
    if (name !== 'failCommand') {
      throw new CommandError(ErrorCode.failPointSetFailed, `${name ?? ''} not found`);
    }
    const mode = parseMode(command);
    const failCommand = mode.kind === 'off' ? undefined : parseData(command.document('data'));
    this.#mode = mode;
    this.#failCommand = failCommand;
    return this.#hitCount;
  }

  /** What the command that is about to run is to do instead; undefined when nothing. */
  hit(commandName: string, appName: string | undefined): FailAction | undefined {
    const failCommand = this.#failCommand;
    if (!failCommand?.commands.has(commandName)) {
      return undefined;
    }
    if (failCommand.appName !== undefined && failCommand.appName !== appName) {
      return undefined;
    }
    const mode = this.#mode;
    if (mode.kind === 'off' || (mode.kind === 'times' && mode.left === 0)) {
      return undefined;
    }
    if (mode.kind === 'skip' && mode.left > 0) {
      mode.left--;
      return undefined;
    }
    if (mode.kind === 'times') {
      mode.left--;
    }
    this.#hitCount++;
    return failCommand;
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

const dataFields = [
  'failCommands',
  'appName',
  'blockConnection',
  'blockTimeMS',
  'closeConnection',
  'errorCode',
  'errorLabels',
];

function parseData(data: CommandReader | undefined): FailCommand {
  if (data === undefined) {
    throw new CommandError(ErrorCode.badValue, 'failCommand needs data');
  }
  data.refuseUnknown(dataFields, 'data');
  const errorCode = data.count('errorCode');
  const isBlocking = data.boolean('blockConnection') ?? false;
  const blockMs = data.count('blockTimeMS');
  if (isBlocking && blockMs === undefined) {
    throw new CommandError(
      ErrorCode.invalidOptions,
      "must specify 'blockTimeMS' when 'blockConnection' is true",
    );
  }
  return {
    commands: new Set(data.strings('failCommands') ?? []),
    appName: data.string('appName'),
    blockMs: isBlocking ? (blockMs ?? 0) : 0,
    isConnectionClosed: data.boolean('closeConnection') ?? false,
    error:
      errorCode === undefined
        ? undefined
        : new CommandError(
            errorCode,
            "Failing command via 'failCommand' failpoint",
            data.strings('errorLabels') ?? [],
          ),
  };
}
