/** Explains errors of the MongoDB driver, with the fix. */

import {
  MongoInvalidArgumentError,
  MongoMissingCredentialsError,
  MongoMissingDependencyError,
  MongoNetworkError,
  MongoParseError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';
import { MigrationError, SourceError, UsageError } from '../../common/errors.ts';
import { NoAnswerError } from './answer-watch.ts';
import { DriverFaultError } from './raw-errors.ts';
import { isTransientSocketError } from '../../common/socket-errors.ts';
import { explainTlsError, type TlsWords } from '../../common/tls-errors.ts';
import { explainWireVersion } from './server/wire-version.ts';

const authenticationFailed = 18;
export const unauthorized = 13;

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const transientCodes = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  43, // CursorNotFound
  50, // MaxTimeMSExpired
  63, // StaleShardVersion
  89, // NetworkTimeout
  91, // ShutdownInProgress
  133, // FailedToSatisfyReadPreference
  134, // ReadConcernMajorityNotAvailableYet
  175, // QueryPlanKilled
  189, // PrimarySteppedDown
  202, // NetworkInterfaceExceededTimeLimit
  237, // CursorKilled
  262, // ExceededTimeLimit
  9001, // SocketException
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11601, // Interrupted
  11602, // InterruptedDueToReplStateChange
  13388, // StaleConfig
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
]);

/** The member of the set that replied is behind another one. */
export class MemberBehindError extends Error {
  override readonly name = 'MemberBehindError';
}

const tlsWords: TlsWords = {
  url: 'MONGO_URL',
  ca: 'tlsCAFile=/path/to/ca.pem',
  certificate: 'tlsCertificateKeyFile=/path/to/client.pem',
  none: 'leave out tls=true',
};

/** The same command may succeed a moment later: the server is restarting, or another one takes over. */
export function isTransientMongoError(error: unknown): boolean {
  if (error instanceof MongoServerError) {
    return transientCodes.has(Number(error.code)) || error.hasErrorLabel('RetryableError');
  }
  // The driver passes some socket errors on unchanged.
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof NoAnswerError ||
    error instanceof MemberBehindError ||
    error instanceof DriverFaultError ||
    isTransientSocketError(error)
  );
}

/** `host:port`, the part of the URL that may be shown. */
export function describeMongo(url: string): string {
  return new ConnectionString(url).hosts.join(',');
}

export function explainMongoError(error: unknown, url: string): MigrationError {
  if (error instanceof MigrationError) return error;
  const where = describeMongo(url);
  const text = error instanceof Error ? error.message : String(error);
  const isServerGone = isTransientMongoError(error);
  const explain = (code: string, message: string, fix: string): SourceError =>
    new SourceError(message, { code, fix, isServerGone, cause: error });
  if (error instanceof MongoServerError && error.code === authenticationFailed) {
    return explain(
      'MONGO_PASSWORD',
      `MongoDB at ${where} refused user or password`,
      'correct them in MONGO_URL (special characters percent-encoded); if the user is defined in another database, add ?authSource=admin.',
    );
  }
  if (optionErrors.some((Class) => error instanceof Class)) return explainOptionsError(error);
  const isUnauthorized = error instanceof MongoServerError && error.code === unauthorized;
  if (isUnauthorized && new ConnectionString(url).username === '' && !hasCertificate(url)) {
    return explain(
      'MONGO_USER_MISSING',
      `MongoDB at ${where} requires a user, and MONGO_URL names none: ${text}`,
      'add user and password, as in mongodb://user:password@host/?authSource=admin; the user needs the role `read` on the database.',
    );
  }
  if (isUnauthorized) {
    return explain(
      'MONGO_RIGHTS',
      `MongoDB at ${where}: ${text}`,
      'grant the user the role `read` on the database.',
    );
  }
  const versions = explainWireVersion(text, where);
  if (versions !== null) {
    const { message, ...details } = versions;
    return new SourceError(message, { ...details, isServerGone, cause: error });
  }
  const trouble = explainTlsError(text, tlsWords);
  if (trouble !== null) return explain('MONGO_TLS', `MongoDB at ${where} ${trouble.message}`, trouble.fix);
  if (/ENOTFOUND|EAI_AGAIN|querySrv/.test(text)) {
    return explain(
      'MONGO_HOST_UNKNOWN',
      `the host of MONGO_URL (${where}) cannot be resolved`,
      'correct the host in MONGO_URL.',
    );
  }
  if (text.includes('ECONNREFUSED')) {
    return explain(
      'MONGO_NOT_REACHED',
      `no MongoDB answers at ${where}`,
      'start the server, or correct host and port in MONGO_URL.',
    );
  }
  const { replicaSet, isNoneOfIt } = compareSet(error, url);
  if (isNoneOfIt) {
    return explain(
      'MONGO_REPLICA_SET',
      `no MongoDB at ${where} is of the replica set ${replicaSet}`,
      'correct replicaSet in MONGO_URL, or in the TXT record of its host.',
    );
  }
  if (error instanceof Error && error.name === 'MongoServerSelectionError') {
    return explain(
      'MONGO_SILENT',
      `MongoDB at ${where} does not answer: ${text}`,
      'check host, port, TLS options and firewall.',
    );
  }
  return new SourceError(`MongoDB at ${where}: ${text}`, { code: 'MONGO_ERROR', isServerGone, cause: error });
}

/** Errors about the URL. The driver reports some only when it connects: about options of a TXT record, or a missing compressor. */
const optionErrors = [
  MongoParseError,
  MongoInvalidArgumentError,
  MongoMissingCredentialsError,
  MongoMissingDependencyError,
];

/** @param error of the driver, about an option of the URL */
export function explainOptionsError(error: unknown): UsageError {
  const text = error instanceof Error ? error.message : String(error);
  return new UsageError(`MONGO_URL has options that cannot be used: ${text}`, {
    code: 'MONGO_URL_OPTIONS',
    fix: 'correct the options after the ?, or the ports.',
    cause: error,
  });
}

/** Whether the certificate names the user. */
function hasCertificate(url: string): boolean {
  return new ConnectionString(url).searchParams.get('authMechanism') === 'MONGODB-X509';
}

/** The driver drops servers that report another set's name. If all are dropped, none is of the set. */
function compareSet(error: unknown, url: string): { replicaSet: string; isNoneOfIt: boolean } {
  const reason = error instanceof MongoServerSelectionError ? error.reason : undefined;
  const replicaSet = new ConnectionString(url).searchParams.get('replicaSet') ?? reason?.setName ?? '';
  const isNoneOfIt = reason?.type === 'ReplicaSetNoPrimary' && reason.servers.size === 0;
  return { replicaSet, isNoneOfIt };
}
