/**
 * Fail points: `failCommand` and `failGetMoreAfterCursorCheckout` as mongod has them for tests of drivers and
 * applications, and additional ones, for rare behaviour of a real server.
 *
 * https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point
 */
import type { CommandReader } from './command-reader.ts';
import { CommandError, ErrorCode } from './errors.ts';
import { FailPointMode } from './fail-point-mode.ts';
import type { ReplicaSetFaults } from './replica-set-faults.ts';
import type { Oplog } from './oplog/oplog.ts';

const names = [
  'failCommand',
  'failGetMoreAfterCursorCheckout',
  'silentChangeStreams',
  'loseOplogHistory',
  'staleReads',
  'rolledBackWrites',
] as const;
type Name = (typeof names)[number];

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

/** `failCommand`, those of change streams, and those of a replica set. */
export class FailPoints {
  readonly #modes = new Map<string, FailPointMode>(names.map((name) => [name, new FailPointMode()]));
  #failCommand: FailCommand | undefined;
  #getMoreErrorCode: number = ErrorCode.internalError;

  /** Sets the fail point from a `configureFailPoint` command; returns how often it was hit since the server started. */
  configure(command: CommandReader, replicaSetFaults: ReplicaSetFaults, oplog: Oplog | undefined): number {
    const name = command.string('configureFailPoint') ?? '';
    const before = this.#modes.get(name);
    if (before === undefined) {
      throw new CommandError(ErrorCode.failPointSetFailed, `${name} not found`);
    }
    const mode = FailPointMode.read(command, before.hitCount);
    const data = command.document('data');
    switch (name) {
      case 'failCommand':
        this.#failCommand = mode.isOff ? undefined : parseData(data);
        break;
      case 'failGetMoreAfterCursorCheckout':
        data?.refuseUnknown(['errorCode', 'closeConnection'], 'data');
        this.#getMoreErrorCode = data?.count('errorCode') ?? ErrorCode.internalError;
        break;
      case 'silentChangeStreams':
        data?.refuseUnknown([], 'data');
        break;
      case 'loseOplogHistory':
        if (!mode.isOff) oplog?.forget();
        break;
      case 'staleReads':
        replicaSetFaults.configureStaleReads(mode, data);
        break;
      case 'rolledBackWrites':
        replicaSetFaults.configureRolledBackWrites(mode, data);
        break;
      default:
    }
    this.#modes.set(name, mode);
    return mode.hitCount;
  }

  /** Whether change streams send nothing, as with a server that hangs. */
  get isSilent(): boolean {
    return this.#isHit('silentChangeStreams');
  }

  /** mongod's own: a getMore that fails once it has its cursor. */
  failGetMore(): void {
    if (this.#isHit('failGetMoreAfterCursorCheckout')) {
      throw new CommandError(this.#getMoreErrorCode, 'Hit the fail point failGetMoreAfterCursorCheckout');
    }
  }

  /** What the command does instead; undefined if no fail point applies. */
  hit(commandName: string, appName: string | undefined): FailAction | undefined {
    const failCommand = this.#failCommand;
    if (!failCommand?.commands.has(commandName)) {
      return undefined;
    }
    if (failCommand.appName !== undefined && failCommand.appName !== appName) {
      return undefined;
    }
    return this.#isHit('failCommand') ? failCommand : undefined;
  }

  #isHit(name: Name): boolean {
    return this.#modes.get(name)?.hit() === true;
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
