/** Which state of the data a command reads: `readConcern` and the times that clients pass on. */
import { findValue } from '../../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../../src/bson/cursor.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import type { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { describeTime, readTimestamp } from '../oplog/cluster-time.ts';
import type { ClusterTime } from '../oplog/cluster-time.ts';
import type { Oplog } from '../oplog/oplog.ts';

const levels = ['local', 'available', 'majority', 'linearizable', 'snapshot'] as const;
type Level = (typeof levels)[number];

export interface ReadConcern {
  readonly level: Level;
  /** The read sees at least all up to this time; undefined when anything will do. */
  readonly afterClusterTime: ClusterTime | undefined;
}

const defaultConcern: ReadConcern = { level: 'local', afterClusterTime: undefined };

/** How far ahead of this server's clock another one's may be, as mongod has it: a year. */
const maxDriftSeconds = 365 * 24 * 60 * 60;

/** Does not wait: the requested time exists, or a no-op is written, or the command fails. */
export function readReadConcern(command: CommandReader, oplog: Oplog | undefined): ReadConcern {
  takeClusterTime(command, oplog);
  const concern = command.document('readConcern');
  if (concern === undefined) {
    return defaultConcern;
  }
  const name = concern.string('level') ?? 'local';
  const level = levels.find((known) => known === name);
  if (level === undefined) {
    throw new CommandError(
      ErrorCode.badValue,
      `Enumeration value '${name}' for field 'readConcern.level' is not a valid value.`,
    );
  }
  if (level === 'snapshot' || concern.has('atClusterTime')) {
    throw notImplemented('snapshot reads');
  }
  const afterClusterTime = readTime(concern, 'afterClusterTime');
  if (afterClusterTime === undefined) {
    return { level, afterClusterTime };
  }
  if (oplog === undefined) {
    throw new CommandError(
      ErrorCode.illegalOperation,
      'Cannot specify afterClusterTime readConcern without replication enabled',
    );
  }
  if (level !== 'local' && level !== 'majority') {
    throw new CommandError(
      ErrorCode.invalidOptions,
      'afterClusterTime field can be set only if level is equal to majority, local, or snapshot',
    );
  }
  if (afterClusterTime > oplog.clock.last) {
    throw new CommandError(
      ErrorCode.invalidOptions,
      'readConcern afterClusterTime value must not be greater than the current clusterTime. Requested clusterTime: ' +
        `${describeTime(afterClusterTime)}; current clusterTime: ${describeTime(oplog.clock.last)}`,
    );
  }
  oplog.reach(afterClusterTime);
  return { level, afterClusterTime };
}

/** A client passes on the greatest time that it has seen. */
function takeClusterTime(command: CommandReader, oplog: Oplog | undefined): void {
  const document = command.value('$clusterTime');
  if (oplog === undefined || document?.type !== bsonTypes.object) {
    return;
  }
  const time = findValue(document.bytes, document.start, clusterTimeName);
  const seen = time?.type === bsonTypes.timestamp ? readTimestamp(time.bytes, time.start) : 0;
  if (seen <= oplog.clock.last) {
    return;
  }
  if (seen > oplog.clock.ahead(maxDriftSeconds)) {
    throw new CommandError(
      ErrorCode.clusterTimeFailsRateLimiter,
      `New cluster time, ${describeTime(seen)}, is too far from this node's wall clock time`,
    );
  }
  oplog.clock.advance(seen);
}

const clusterTimeName = guessName('clusterTime');

function readTime(document: CommandReader, name: string): ClusterTime | undefined {
  const field = document.value(name);
  if (field === undefined || field.type === bsonTypes.null) {
    return undefined;
  }
  if (field.type !== bsonTypes.timestamp) {
    throw new CommandError(
      ErrorCode.typeMismatch,
      `BSON field '${document.name}.${name}' is the wrong type, expected type 'timestamp'`,
    );
  }
  return readTimestamp(field.bytes, field.start);
}
