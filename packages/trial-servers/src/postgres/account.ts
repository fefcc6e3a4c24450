/** The system user that Postgres runs as, since it refuses to run as root. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { TargetError } from '../../../../src/common/errors.ts';
import { hasCode, unlessCode } from '../../../../src/common/fs-errors.ts';

const execFileAsync = promisify(execFile);
const userName = 'postgres';

/** Enough for any message of initdb or postgres; the rest would only fill the memory. */
const maxOutputChars = 64 * 1024;

/** An account to change to; undefined means no change. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface ProgramResult {
  readonly isOk: boolean;
  /** Its output, or why it could not be started. */
  readonly output: string;
}

/**
 * The account to run as: for root the owner of the existing data, else the user `postgres`, created if there is none.
 * An ordinary user does not change the account.
 */
export async function resolveAccount(clusterDir: string): Promise<Account | undefined> {
  const existing = await unlessCode(stat(clusterDir), 'ENOENT');
  const ownUid = process.getuid?.();
  if (ownUid !== 0) {
    if (existing === undefined || existing.uid === ownUid) return undefined;
    throw new TargetError(
      `the Postgres data in ${clusterDir} belongs to another user (uid ${existing.uid})`,
      {
        code: 'EMBEDDED_DATA_OF_ANOTHER_USER',
        fix: 'Run as that user (or as root, if root made it), or give DATA_DIR another folder.',
      },
    );
  }
  if (existing !== undefined && existing.uid !== 0) return { uid: existing.uid, gid: existing.gid };
  return (await findUser()) ?? (await createUser());
}

/** Runs a program to its end, as the account if one is given, with little of the caller's environment. */
export async function runProgram(
  file: string,
  args: readonly string[],
  account: Account | undefined,
  input = '',
): Promise<ProgramResult> {
  const child = spawn(file, args, { ...account, ...serverSpawnOptions, stdio: 'pipe' });
  // A program that ends without reading is judged by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  let output = '';
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-maxOutputChars);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    if (signal !== null) output += `\nended by ${signal}`;
    return { isOk: code === 0, output: output.trim() };
  } catch (error) {
    return { isOk: false, output: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether the account can enter the directory: the system checks it, including ACLs and mounts. */
export async function canEnter(directory: string, account: Account): Promise<boolean> {
  return (await runProgram('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], account)).isOk;
}

/**
 * How Postgres's programs are started: in `/`, since the account may not have access to the working directory;
 * in English, since messages are parsed; without PGDATA, PGPORT and similar variables. (On macOS a server without
 * LC_ALL becomes multithreaded while it starts, and gives up.)
 */
export const serverSpawnOptions = {
  cwd: '/',
  env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
} as const;

async function findUser(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([
      execFileAsync('id', ['-u', userName]),
      execFileAsync('id', ['-g', userName]),
    ]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

async function createUser(): Promise<Account> {
  const fix =
    'Run as an ordinary user, or make a system user named postgres, or set POSTGRES_URL to your own server.';
  // `su` without a dash gives root a path without them.
  const env = { PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` };
  try {
    // 9: the group already exists.
    await execFileAsync('groupadd', ['--system', userName], { env }).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 9)) throw error;
    });
    await execFileAsync(
      'useradd',
      ['--system', '--gid', userName, '--no-create-home', '--shell', '/bin/false', userName],
      { env },
    );
  } catch (error) {
    const reason = hasCode(error, 'ENOENT')
      ? 'there is no groupadd or useradd'
      : error instanceof Error
        ? error.message.trim()
        : String(error);
    throw new TargetError(`Postgres does not run as root, and no user for it could be made: ${reason}`, {
      code: 'EMBEDDED_NO_ACCOUNT',
      fix,
      cause: error,
    });
  }
  const account = await findUser();
  if (account === undefined) {
    throw new TargetError('the new user postgres cannot be found', { code: 'EMBEDDED_NO_ACCOUNT', fix });
  }
  return account;
}
