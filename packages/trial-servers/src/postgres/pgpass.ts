/** The password file of the embedded Postgres, in the format psql reads, which also remembers the port. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessCode } from '../../../../src/common/fs-errors.ts';
import { replacePrivateFile } from '../private-file.ts';

export interface Pgpass {
  readonly port: number;
  readonly password: string;
}

export function pgpassPath(home: string): string {
  return join(home, 'pgpass');
}

/** See https://www.postgresql.org/docs/current/libpq-pgpass.html; undefined when there is no usable file. */
export async function readPgpass(home: string): Promise<Pgpass | undefined> {
  const text = await unlessCode(readFile(pgpassPath(home), 'utf8'), 'ENOENT');
  const match = /^127\.0\.0\.1:(\d+):\*:postgres:([\w-]+)$/m.exec(text ?? '');
  const [, port, password] = match ?? [];
  return port === undefined || password === undefined ? undefined : { port: Number(port), password };
}

export async function writePgpass(home: string, { port, password }: Pgpass): Promise<void> {
  await replacePrivateFile(pgpassPath(home), `127.0.0.1:${port}:*:postgres:${password}\n`);
}

/** 192 random bits, of characters that neither a URL nor a password file has to escape. */
export function createPassword(): string {
  return randomBytes(24).toString('base64url');
}
