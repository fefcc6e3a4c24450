/** Checks whether a recorded process is still the same one, although process ids are reused. */
import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { hasCode, unlessCode } from '../../../src/common/fs-errors.ts';

const execFileAsync = promisify(execFile);

/** A process and the moment it started, which a later process of the same id does not share. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

/** Identity of a live process; undefined when there is none, or when it is dead and only waits to be reaped. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const startedAt = process.platform === 'linux' ? await readLinuxStart(pid) : await readStartByPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export async function isSameProcessAlive(identity: ProcessIdentity): Promise<boolean> {
  const current = await identifyProcess(identity.pid);
  return current?.startedAt === identity.startedAt;
}

/** Whether the process is a `postgres` that works in this data directory. */
export async function isPostmasterOf(pid: number, clusterDir: string): Promise<boolean> {
  if ((await identifyProcess(pid)) === undefined) return false;
  if (process.platform !== 'linux') {
    const command = await runPs(pid, 'command=');
    return command.includes('postgres') && command.includes(`-D ${clusterDir}`);
  }
  const commandLine = await unlessCode(readFile(`/proc/${pid}/cmdline`, 'utf8'), 'ENOENT', 'ESRCH', 'EACCES');
  const args = commandLine?.split('\0') ?? [];
  if (basename(args[0] ?? '') !== 'postgres') return false;
  if (args.includes(clusterDir)) return true;
  // The directory may have been renamed under a running server. Its working directory shows it, but root in a
  // container may not read that of another user, so it comes second.
  return (
    (await unlessCode(readlink(`/proc/${pid}/cwd`), 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) === clusterDir
  );
}

/** See https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: field 3 is the state, 22 the start in ticks. */
async function readLinuxStart(pid: number): Promise<string | undefined> {
  const stat = await unlessCode(readFile(`/proc/${pid}/stat`, 'utf8'), 'ENOENT', 'ESRCH');
  if (stat === undefined) return undefined;
  // The name in field 2 may hold spaces and brackets, so count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || startTicks === undefined) return undefined;
  // Ticks count from the boot, so that they mean something only together with it.
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  return `${bootId.trim()}/${startTicks}`;
}

async function readStartByPs(pid: number): Promise<string | undefined> {
  const state = await runPs(pid, 'stat=');
  if (state === '' || state.startsWith('Z')) return undefined;
  const start = await runPs(pid, 'lstart=');
  return start === '' ? undefined : start;
}

async function runPs(pid: number, column: string): Promise<string> {
  try {
    // The format of the date must not depend on the locale.
    const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
    const { stdout } = await execFileAsync('ps', ['-ww', '-o', column, '-p', String(pid)], { env });
    return stdout.trim();
  } catch (error) {
    // ps ends with 1 when there is no such process.
    if (error instanceof Error && 'code' in error && error.code === 1) return '';
    if (hasCode(error, 'ENOENT')) {
      throw new Error('the program `ps` is needed to look after embedded servers', { cause: error });
    }
    throw error;
  }
}
