/** The `$changeStream` stage: what is watched, from which position, and what is reported. */
import type { RawField } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { CommandReader } from '../command-reader.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { readTimestamp } from '../oplog/cluster-time.ts';
import type { ClusterTime } from '../oplog/cluster-time.ts';
import { parseToken } from './token.ts';
import type { Token } from './token.ts';

/** What the stream watches: a collection, a database, or all of them. */
export interface Scope {
  readonly database: string | undefined;
  readonly collection: string | undefined;
}

const postImageModes = ['default', 'updateLookup', 'whenAvailable', 'required'] as const;
const preImageModes = ['off', 'whenAvailable', 'required'] as const;

export interface StreamOptions {
  readonly scope: Scope;
  readonly fullDocument: (typeof postImageModes)[number];
  readonly fullDocumentBeforeChange: (typeof preImageModes)[number];
  readonly showExpandedEvents: boolean;
  readonly token: (Token & { readonly data: string }) | undefined;
  readonly startAtOperationTime: ClusterTime | undefined;
}

const internalDatabases = ['admin', 'config', 'local'];

/** @param collection undefined for `{aggregate: 1}` */
export function parseStreamOptions(
  stage: RawField,
  database: string,
  collection: string | undefined,
  isReplicaSet: boolean,
): StreamOptions {
  if (stage.type !== bsonTypes.object) {
    throw new CommandError(50808, '$changeStream stage expects a document as argument');
  }
  const spec = new CommandReader(stage.bytes, stage.start, '$changeStream');
  spec.refuseUnknown([
    ...['resumeAfter', 'startAfter', 'startAtOperationTime', 'fullDocument', 'fullDocumentBeforeChange'],
    ...['allChangesForCluster', 'showExpandedEvents'],
  ]);
  if (!isReplicaSet) {
    throw new CommandError(
      ErrorCode.notAReplicaSetStream,
      'The $changeStream stage is only supported on replica sets',
    );
  }
  const startAfter = spec.rawDocument('startAfter');
  const resumeAfter = spec.rawDocument('resumeAfter');
  if (startAfter !== undefined && resumeAfter !== undefined) {
    throw new CommandError(
      50865,
      "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage",
    );
  }
  const given = startAfter ?? resumeAfter;
  const token = given && parseToken(given);
  const startAtOperationTime = readStart(spec);
  if (token !== undefined && startAtOperationTime !== undefined) {
    throw new CommandError(40674, 'Only one type of resume option is allowed, but multiple were found');
  }
  if (resumeAfter !== undefined && token?.isFromInvalidate === true) {
    throw new CommandError(
      ErrorCode.invalidResumeToken,
      "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification",
    );
  }
  if (collection !== undefined && token?.isHighWaterMark === false && token.uuid === '') {
    throw new CommandError(
      ErrorCode.invalidResumeToken,
      'Attempted to resume a single-collection stream, but the resume token does not include a UUID',
    );
  }
  return {
    scope: readScope(spec, database, collection),
    fullDocument: readMode(spec, 'fullDocument', postImageModes),
    fullDocumentBeforeChange: readMode(spec, 'fullDocumentBeforeChange', preImageModes),
    showExpandedEvents: spec.boolean('showExpandedEvents') ?? false,
    token: token && { ...token, data: new CommandReader(given.bytes, given.start).string('_data') ?? '' },
    startAtOperationTime,
  };
}

function readScope(spec: CommandReader, database: string, collection: string | undefined): Scope {
  const isForCluster = spec.boolean('allChangesForCluster') ?? false;
  if (isForCluster && (database !== 'admin' || collection !== undefined)) {
    throw new CommandError(
      ErrorCode.invalidOptions,
      "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' database, and with no collection name; found " +
        `${database}.${collection ?? '$cmd.aggregate'}`,
    );
  }
  if (isForCluster) {
    return { database: undefined, collection: undefined };
  }
  if (internalDatabases.includes(database)) {
    throw new CommandError(
      ErrorCode.invalidNamespace,
      `$changeStream may not be opened on the internal ${database} database`,
    );
  }
  if (collection?.startsWith('system.') === true) {
    throw new CommandError(
      ErrorCode.invalidNamespace,
      `$changeStream may not be opened on the internal ${database}.${collection} collection`,
    );
  }
  return { database, collection };
}

function readStart(spec: CommandReader): ClusterTime | undefined {
  const field = spec.value('startAtOperationTime');
  if (field === undefined) {
    return undefined;
  }
  if (field.type !== bsonTypes.timestamp) {
    throw new CommandError(
      ErrorCode.typeMismatch,
      "BSON field '$changeStream.startAtOperationTime' is the wrong type, expected type 'timestamp'",
    );
  }
  return readTimestamp(field.bytes, field.start);
}

function readMode<T extends string>(spec: CommandReader, name: string, modes: readonly [T, ...T[]]): T {
  const given = spec.string(name) ?? modes[0];
  const mode = modes.find((known) => known === given);
  if (mode === undefined) {
    throw new CommandError(
      ErrorCode.badValue,
      `Enumeration value '${given}' for field '$changeStream.${name}' is not a valid value.`,
    );
  }
  return mode;
}
