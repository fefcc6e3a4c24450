/**
 * Fail points: `failCommand` and `failGetMoreAfterCursorCheckout` as mongod has them for tests of drivers and
 * applications, and others of our own, for what a real server does only now and then.
 *
 * https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point
 */
import type { CommandReader } from './command-reader.ts';
import { CommandError, ErrorCode } from './errors.ts';
import { FailPointMode } from './fail-point-mode.ts';
import type { Lies } from './lies.ts';
import type { Oplog } from './oplog/oplog.ts';

/** What a command that hits the fail point does: wait, then close the connection or fail, or neither. */
export interface FailAction {
  readonly blockMs: number;
  readonly isConnectionClosed: boolean;
  readonly error: CommandError | undefined;
}

interface FailCommand extends FailAction {
  readonly commands: ReadonlySet<string>;
  readonly appName: string | undefined;
}

/** A fail point that other parts of the server ask about. */
interface OtherPoint {
  readonly mode: FailPointMode;
  readonly errorCode: number;
}

/** `failCommand`, and those of change streams. Each returns how often it was hit before it was set. */
export class FailPoints {
  #mode = new FailPointMode();
  #failCommand: FailCommand | undefined;
  readonly #others = new Map<string, OtherPoint>();

  /** Sets the fail point from a `configureFailPoint` command. */
  configure(command: CommandReader, lies: Lies | undefined, oplog: Oplog | undefined): number {
    const name = command.string('configureFailPoint') ?? '';
    const mode = FailPointMode.read(command);
    const data = command.document('data');
    switch (name) {
      case 'failCommand': {
        const failCommand = mode.isOff ? undefined : parseData(data);
        const before = this.#mode.hitCount;
        this.#mode = mode;
        this.#failCommand = failCommand;
        return before;
      }
      case 'failGetMoreAfterCursorCheckout':
      case 'silentChangeStreams': {
        data?.refuseUnknown(['errorCode', 'closeConnection'], 'data');
        const before = this.#others.get(name)?.mode.hitCount ?? 0;
        const errorCode = data?.count('errorCode') ?? ErrorCode.internalError;
        this.#others.set(name, { mode, errorCode });
        return before;
      }
      case 'loseOplogHistory':
        if (!mode.isOff) oplog?.forget();
        return 0;
      case 'staleReads':
        lies?.configureStaleReads(mode, data);
        return 0;
      case 'rolledBackWrites':
        lies?.configureRolledBackWrites(mode, data);
        return 0;
      default:
        throw new CommandError(51006, `${name} not found`);
    }
  }

  /** Whether change streams are to tell nothing, as one whose server hangs. */
  get isSilent(): boolean {
    return this.#others.get('silentChangeStreams')?.mode.hit() ?? false;
  }

  /** mongod's own: a getMore that fails once it has its cursor. */
  failGetMore(): void {
    const point = this.#others.get('failGetMoreAfterCursorCheckout');
    if (point?.mode.hit() === true) {
      throw new CommandError(point.errorCode, 'Hit the fail point failGetMoreAfterCursorCheckout');
    }
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
    return this.#mode.hit() ? failCommand : undefined;
  }
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
