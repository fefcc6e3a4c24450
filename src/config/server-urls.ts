/** Validates the URLs of both sides, and the files that they name. */

import { accessSync, constants } from 'node:fs';
import { ConnectionString } from 'mongodb-connection-string-url';
import { parse as parsePostgresUrl } from 'pg-connection-string';
import { UsageError } from '../common/errors.ts';
import type { Given } from './option-value.ts';

/** Given in place of a URL: the built-in trial server. */
export const embedded = 'embedded';

/** @throws UsageError */
export function checkMongoUrl({ value, label }: Given): string {
  if (value === '' || value === embedded) return value;
  try {
    const { hosts, isSRV, searchParams } = new ConnectionString(value);
    if (cutsPassword(value) || (!isSRV && !hosts.every((name) => hostPattern.test(name)))) throw new Error();
    for (const name of ['tlsCAFile', 'tlsCertificateKeyFile', 'tlsCRLFile']) {
      requireReadable(searchParams.get(name), label);
    }
    return value;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${label} is not a MongoDB URL`, {
      code: 'MONGO_URL_INVALID',
      fix: 'it looks like mongodb://user:password@host:27017 or mongodb+srv://…; characters such as @ : / % in a password are written percent-encoded (%40 for @).',
    });
  }
}

/** @throws UsageError */
export function checkPostgresUrl({ value, label }: Given): string {
  if (value === '' || value === embedded) return value;
  const fix =
    'it looks like postgres://user:password@host:5432/database; characters such as @ : / % in a password are written percent-encoded (%40 for @).';
  try {
    // Before the parser reads these files, because its error would not name the setting.
    const query = new URLSearchParams(value.split('?')[1] ?? '');
    for (const name of ['sslrootcert', 'sslcert', 'sslkey']) requireReadable(query.get(name), label);
    const { database, port } = parsePostgresUrl(value);
    if (/^postgres(ql)?:\/\//.test(value) && !cutsPassword(value) && (!port || Number(port) <= 65_535)) {
      if (!database) {
        throw new UsageError(`${label} names no database`, { code: 'POSTGRES_URL_INVALID', fix });
      }
      return value;
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
  }
  throw new UsageError(`${label} is not a PostgreSQL URL`, { code: 'POSTGRES_URL_INVALID', fix });
}

/** `checkPostgresUrl` for a server that runs already. @throws UsageError */
export function checkServerUrl(given: Given): string {
  // Refused as what it is then: no URL.
  return checkPostgresUrl(given.value === embedded ? { ...given, value: `${embedded}:` } : given);
}

/** A host name or address with its port, or the path of a socket. */
const hostPattern = /^(?:(?:[\w.-]+|\[[\da-f:.%\w]+\])(?::\d{1,5})?|%2F\S+\.sock)$/i;

/**
 * A `/` in a password ends the host too early. The rest of the password would then be read as the database, which is printed.
 */
function cutsPassword(url: string): boolean {
  return /^\w[\w+.-]*:\/\/[^/?]*\/[^?]*@/.test(url);
}

function requireReadable(path: string | null, label: string): void {
  if (path === null || path === '') return;
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(`${path}, which ${label} names, cannot be read (${code})`, {
      code: 'URL_FILE_UNREADABLE',
      fix: 'correct the path, or let this user read the file.',
      cause: error,
    });
  }
}

/** The database that a MongoDB URL names; empty if it names none. */
export function databaseOf(mongoUrl: string): string {
  if (mongoUrl === '' || mongoUrl === embedded) return '';
  return decodeURIComponent(new ConnectionString(mongoUrl).pathname.replace(/^\//, ''));
}
