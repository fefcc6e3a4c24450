/** The errors the embedded server answers with: MongoDB's own codes, names and wording. */
import { QueryError, QueryErrorCode } from '../../../../src/bson/match/errors.ts';

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
export const ErrorCode = {
  ...QueryErrorCode,
  internalError: 1,
  overflow: 15,
  invalidLength: 16,
  invalidBson: 22,
  authenticationFailed: 18,
  illegalOperation: 20,
  pathNotViable: 28,
  conflictingUpdateOperators: 40,
  noMatchingDocument: 47,
  emptyFieldName: 56,
  immutableField: 66,
  namespaceNotFound: 26,
  indexNotFound: 27,
  cursorNotFound: 43,
  namespaceExists: 48,
  dollarPrefixedFieldName: 52,
  invalidIdField: 53,
  commandNotFound: 59,
  cannotCreateIndex: 67,
  noReplicationEnabled: 76,
  exceededTimeLimit: 262,
  invalidOptions: 72,
  invalidNamespace: 73,
  indexOptionsConflict: 85,
  indexKeySpecsConflict: 86,
  unsatisfiableWriteConcern: 100,
  commandNotSupportedOnView: 166,
  invalidIndexSpecificationOption: 197,
  clusterTimeFailsRateLimiter: 206,
  transactionTooOld: 225,
  cursorKilled: 237,
  invalidResumeToken: 260,
  failPointSetFailed: 266,
  changeStreamFatalError: 280,
  changeStreamHistoryLost: 286,
  notARetryableWriteCommand: 50768,
  cannotBackfillArray: 155,
  notAReplicaSetStream: 40573,
  bsonObjectTooLarge: 10334,
  cursorInUse: 12051,
  notWritablePrimary: 10107,
  notPrimaryNoSecondaryOk: 13435,
  unauthorized: 13,
  queryPlanKilled: 175,
  duplicateKey: 11000,
  missingField: 40414,
  unknownField: 40415,
} as const;

/** Names of the codes that clients act on, fail points included; any other code is named after its number, as mongod does. */
const codeNames: Readonly<Record<number, string>> = {
  1: 'InternalError',
  2: 'BadValue',
  6: 'HostUnreachable',
  7: 'HostNotFound',
  8: 'UnknownError',
  9: 'FailedToParse',
  13: 'Unauthorized',
  14: 'TypeMismatch',
  15: 'Overflow',
  16: 'InvalidLength',
  17: 'ProtocolError',
  18: 'AuthenticationFailed',
  20: 'IllegalOperation',
  22: 'InvalidBSON',
  24: 'LockTimeout',
  26: 'NamespaceNotFound',
  27: 'IndexNotFound',
  28: 'PathNotViable',
  40: 'ConflictingUpdateOperators',
  43: 'CursorNotFound',
  48: 'NamespaceExists',
  47: 'NoMatchingDocument',
  50: 'MaxTimeMSExpired',
  52: 'DollarPrefixedFieldName',
  53: 'InvalidIdField',
  56: 'EmptyFieldName',
  59: 'CommandNotFound',
  63: 'StaleShardVersion',
  66: 'ImmutableField',
  67: 'CannotCreateIndex',
  72: 'InvalidOptions',
  73: 'InvalidNamespace',
  76: 'NoReplicationEnabled',
  85: 'IndexOptionsConflict',
  86: 'IndexKeySpecsConflict',
  89: 'NetworkTimeout',
  91: 'ShutdownInProgress',
  100: 'UnsatisfiableWriteConcern',
  112: 'WriteConflict',
  133: 'FailedToSatisfyReadPreference',
  134: 'ReadConcernMajorityNotAvailableYet',
  136: 'CappedPositionLost',
  150: 'StaleEpoch',
  155: 'CannotBackfillArray',
  166: 'CommandNotSupportedOnView',
  175: 'QueryPlanKilled',
  189: 'PrimarySteppedDown',
  197: 'InvalidIndexSpecificationOption',
  206: 'ClusterTimeFailsRateLimiter',
  216: 'ElectionInProgress',
  225: 'TransactionTooOld',
  234: 'RetryChangeStream',
  237: 'CursorKilled',
  238: 'NotImplemented',
  260: 'InvalidResumeToken',
  262: 'ExceededTimeLimit',
  266: 'FailPointSetFailed',
  280: 'ChangeStreamFatalError',
  286: 'ChangeStreamHistoryLost',
  9001: 'SocketException',
  10107: 'NotWritablePrimary',
  10334: 'BSONObjectTooLarge',
  11000: 'DuplicateKey',
  11600: 'InterruptedAtShutdown',
  11601: 'Interrupted',
  11602: 'InterruptedDueToReplStateChange',
  12051: 'CursorInUse',
  13388: 'StaleConfig',
  13435: 'NotPrimaryNoSecondaryOk',
  13436: 'NotPrimaryOrSecondary',
  14031: 'OutOfDiskSpace',
  40414: 'IDLFailedToParse',
  40415: 'IDLUnknownField',
};

export function nameCode(code: number): string {
  return codeNames[code] ?? `Location${code}`;
}

/** A command that fails: becomes the reply `{ok: 0, errmsg, code, codeName}`. */
export class CommandError extends QueryError {
  readonly errorLabels: readonly string[];

  constructor(code: number, message: string, errorLabels: readonly string[] = []) {
    super(code, message);
    this.errorLabels = errorLabels;
  }
}

/** The error for features of mongod that this server lacks: it does not ignore them. */
export function notImplemented(what: string): CommandError {
  return new CommandError(
    ErrorCode.notImplemented,
    `the embedded server does not support ${what}; use a real MongoDB server for it`,
  );
}

/** Bytes that are not a message of the protocol: the connection they came from is closed. */
export class MalformedMessageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedMessageError';
  }
}
