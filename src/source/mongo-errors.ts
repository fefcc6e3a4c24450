/** Puts the MongoDB driver's errors into words that tell the fix. */

import { MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';
import { MigrationError, SourceError } from '../errors.ts';
import { NoAnswerError } from './answer-watch.ts';
import { DriverFaultError } from './raw-errors.ts';
import { isPassingSocketError } from '../socket-errors.ts';
import { explainTlsError, type TlsWords } from '../tls-errors.ts';
import { explainWireVersion } from './wire-version.ts';

const authenticationFailed = 18;
const unauthorized = 13;

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const passingCodes = new Set([
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

const tlsWords: TlsWords = {
  url: 'MONGO_URL',
  ca: 'tlsCAFile=/path/to/ca.pem',
  certificate: 'tlsCertificateKeyFile=/path/to/client.pem',
  none: 'leave out tls=true',
};

/** The same command may succeed a moment later: the server restarts, or another one takes over. */
export function isPassingMongoError(error: unknown): boolean {
  if (error instanceof MongoServerError) {
    return passingCodes.has(Number(error.code)) || error.hasErrorLabel('RetryableError');
  }
  // The driver hands some errors of its sockets on as they are.
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof NoAnswerError ||
    error instanceof DriverFaultError ||
    isPassingSocketError(error)
  );
}

/** `host:port`, all of the URL that may be shown. */
export function describeMongo(url: string): string {
  return new ConnectionString(url).hosts.join(',');
}

export function explainMongoError(error: unknown, url: string): MigrationError {
  if (error instanceof MigrationError) return error;
  const where = describeMongo(url);
  const text = error instanceof Error ? error.message : String(error);
  const isServerGone = isPassingMongoError(error);
  const explain = (message: string, fix: string): SourceError =>
    new SourceError(message, { fix, isServerGone, cause: error });
  if (error instanceof MongoServerError && error.code === authenticationFailed) {
    return explain(
      `MongoDB at ${where} refused user or password`,
      'correct them in MONGO_URL (special characters percent-encoded); if the user lives in another database, add ?authSource=admin.',
    );
  }
  if (error instanceof MongoServerError && error.code === unauthorized) {
    return explain(`MongoDB at ${where}: ${text}`, 'grant the user the role `read` on the database.');
  }
  const versions = explainWireVersion(text, where);
  if (versions !== null) {
    const { message, ...details } = versions;
    return new SourceError(message, { ...details, isServerGone, cause: error });
  }
  const trouble = explainTlsError(text, tlsWords);
  if (trouble !== null) return explain(`MongoDB at ${where} ${trouble.message}`, trouble.fix);
  if (/ENOTFOUND|EAI_AGAIN|querySrv/.test(text)) {
    return explain(`the host of MONGO_URL (${where}) is not known`, 'correct the host in MONGO_URL.');
  }
  if (text.includes('ECONNREFUSED')) {
    return explain(
      `no MongoDB answers at ${where}`,
      'start the server, or correct host and port in MONGO_URL.',
    );
  }
  const { replicaSet, isNoneOfIt } = compareSet(error, url);
  if (isNoneOfIt) {
    return explain(
      `no MongoDB at ${where} is of the replica set ${replicaSet}`,
      'correct replicaSet in MONGO_URL, or in the TXT record of its host.',
    );
  }
  if (error instanceof Error && error.name === 'MongoServerSelectionError') {
    return explain(
      `MongoDB at ${where} does not answer: ${text}`,
      'check host, port, TLS options and firewall.',
    );
  }
  return new SourceError(`MongoDB at ${where}: ${text}`, { isServerGone, cause: error });
}

/** The driver leaves out servers that answer with another set's name, until none is left to wait for. */
function compareSet(error: unknown, url: string): { replicaSet: string; isNoneOfIt: boolean } {
  const reason = error instanceof MongoServerSelectionError ? error.reason : undefined;
  const replicaSet = new ConnectionString(url).searchParams.get('replicaSet') ?? reason?.setName ?? '';
  const isNoneOfIt = reason?.type === 'ReplicaSetNoPrimary' && reason.servers.size === 0;
  return { replicaSet, isNoneOfIt };
}
