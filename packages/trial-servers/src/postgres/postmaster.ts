/** The `postgres` process itself: starts it, waits for it, stops it, also one of an earlier host. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TargetError } from '../../../../src/common/errors.ts';
import { unlessCode } from '../../../../src/common/fs-errors.ts';
import { pollUntil } from '../../../../src/common/poll.ts';
import { openPrivateLog, replacePrivateFile } from '../private-file.ts';
import { isPostmasterOf } from '../process-identity.ts';
import { serverSpawnOptions } from './account.ts';
import type { Account } from './account.ts';

export interface Postmaster {
  /** Fulfilled at the process's end, however it came, with the end's description. */
  readonly exited: Promise<string>;
  /** Fast shutdown: transactions are rolled back, all is written, nothing is left to recover. */
  stop(): Promise<void>;
}

/** The server ended before it was ready. `log` is its output meanwhile. */
export class PostmasterStartError extends Error {
  readonly log: string;

  constructor(message: string, log: string) {
    super(message);
    this.name = 'PostmasterStartError';
    this.log = log;
  }
}

/** A fast shutdown ends with a checkpoint, which writes at most shared_buffers: seconds, on a slow disk many. */
const fastShutdownMs = 60_000;
/** An immediate shutdown only ends processes; Postgres itself kills those that do not end within 5 s. */
const immediateShutdownMs = 10_000;
/** After a crash in the middle of a load, recovery may have to go through max_wal_size of log. */
const recoveryMs = 10 * 60_000;
/** Enough to hold the reason, little enough to read. */
const logTailBytes = 2000;
/** Weeks of starts and stops, or one bad day. */
const maxLogBytes = 16 * 1024 * 1024;

/**
 * For a bulk load on a laptop. What makes data survive a crash of the machine (fsync, full_page_writes,
 * synchronous_commit) stays on.
 */
const settings = {
  listen_addresses: '127.0.0.1',
  // A socket's path must be short and writable for the account, and nothing uses one.
  unix_socket_directories: '',
  timezone: 'UTC',
  // Index pages stay in memory while they are built; little beside 8 GB.
  shared_buffers: '256MB',
  maintenance_work_mem: '256MB',
  // A checkpoint every GB of log, the default, would write each hot page over and over during a load.
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  wal_buffers: '16MB',
  // Nobody replicates or archives this server, so index builds need not go through the log.
  wal_level: 'minimal',
  max_wal_senders: '0',
} as const;

/** Starts the server and waits until it accepts connections. Rejects with PostmasterStartError when it ends instead. */
export async function startPostmaster(options: {
  readonly postgres: string;
  readonly clusterDir: string;
  readonly port: number;
  readonly account: Account | undefined;
  readonly logFile: string;
  readonly signal: AbortSignal;
}): Promise<Postmaster> {
  const { clusterDir, logFile, signal } = options;
  await disownPidFile(clusterDir);
  const logStart = await openLog(logFile);
  const args = ['-D', clusterDir, '-p', String(options.port)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const child = spawn(options.postgres, args, {
    ...options.account,
    ...serverSpawnOptions,
    // The file itself rather than a pipe: a server that has lost its host can still log.
    stdio: ['ignore', logStart.file.fd, logStart.file.fd],
  });
  const exited = once(child, 'exit').then(
    ([code, signalName]: (number | string | null)[]) =>
      signalName === null ? `ended with code ${String(code)}` : `was ended by ${String(signalName)}`,
    (error: unknown) => `could not be started: ${error instanceof Error ? error.message : String(error)}`,
  );
  let endedBy: string | undefined;
  void exited.then((description) => (endedBy = description));
  await logStart.file.close();

  const postmaster: Postmaster = {
    exited,
    async stop() {
      const steps = [
        ['SIGINT', fastShutdownMs],
        ['SIGQUIT', immediateShutdownMs],
        ['SIGKILL', immediateShutdownMs],
      ] as const;
      for (const [signalName, limitMs] of steps) {
        if (endedBy !== undefined) return;
        child.kill(signalName);
        const timer = new AbortController();
        await Promise.race([
          exited,
          delay(limitMs, undefined, { signal: timer.signal }).catch(() => undefined),
        ]);
        timer.abort();
      }
    },
  };

  try {
    const isReady = await pollUntil(
      async () => {
        if (endedBy !== undefined) return false;
        const pidFile = await readPidFile(clusterDir);
        return pidFile?.pid === child.pid && pidFile?.status === 'ready' ? true : undefined;
      },
      recoveryMs,
      signal,
    );
    if (isReady !== true) {
      const reason = endedBy ?? `was not ready after ${recoveryMs / 60_000} minutes`;
      throw new PostmasterStartError(`postgres ${reason}`, await readLogTail(logFile, logStart.size));
    }
    return postmaster;
  } catch (error) {
    await postmaster.stop();
    throw error;
  }
}

/** Stops a server of this data directory that is still alive although its host is not. */
export async function stopOrphan(clusterDir: string): Promise<void> {
  const pid = (await readPidFile(clusterDir))?.pid;
  if (pid === undefined || !(await isPostmasterOf(pid, clusterDir))) return;
  for (const [signalName, limitMs] of [
    ['SIGINT', fastShutdownMs],
    ['SIGQUIT', immediateShutdownMs],
  ] as const) {
    try {
      process.kill(pid, signalName);
    } catch {
      // It ended just now, or is not ours to stop, which the wait distinguishes.
    }
    const isGone = async (): Promise<true | undefined> =>
      (await isPostmasterOf(pid, clusterDir)) ? undefined : true;
    if ((await pollUntil(isGone, limitMs)) === true) return;
  }
  throw new TargetError(
    `a Postgres server of an earlier run (pid ${pid}) still uses ${clusterDir} and does not stop`,
    { code: 'EMBEDDED_DATA_IN_USE', fix: `Stop it (kill -QUIT ${pid}), or give DATA_DIR another folder.` },
  );
}

/** The last lines of the log, from where this start began. */
export async function readLogTail(logFile: string, fromByte = 0): Promise<string> {
  const log = (await unlessCode(readFile(logFile), 'ENOENT')) ?? Buffer.alloc(0);
  return log
    .subarray(Math.max(fromByte, log.length - logTailBytes))
    .toString()
    .trim();
}

/** See https://www.postgresql.org/docs/current/storage-file-layout.html, and miscadmin.h for the lines' order. */
async function readPidFile(clusterDir: string): Promise<{ pid: number; status: string } | undefined> {
  const text = await unlessCode(readFile(pidFilePath(clusterDir), 'utf8'), 'ENOENT', 'ENOTDIR');
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  return Number.isInteger(pid) && pid > 0 ? { pid, status: (lines[7] ?? '').trim() } : undefined;
}

/**
 * Postgres refuses to start while the process noted in the pid file is alive, even if the id has been given to an
 * unrelated process meanwhile. It ignores its own parent, however, so that is put there. The file's other lines
 * must stay: by them Postgres finds out whether processes of a killed server still use its shared memory.
 */
async function disownPidFile(clusterDir: string): Promise<void> {
  const path = pidFilePath(clusterDir);
  const text = await unlessCode(readFile(path, 'utf8'), 'ENOENT');
  if (text === undefined) return;
  const pid = Number.parseInt(text, 10);
  // Killed between creating the file and writing it, after which Postgres would not start.
  if (!(pid > 0)) {
    await rm(path);
  } else if (!(await isPostmasterOf(pid, clusterDir))) {
    await replacePrivateFile(path, text.replace(/^\d+/, String(process.pid)));
  }
}

function pidFilePath(clusterDir: string): string {
  return join(clusterDir, 'postmaster.pid');
}

async function openLog(logFile: string): Promise<{ file: FileHandle; size: number }> {
  const file = await openPrivateLog(logFile);
  let { size } = await file.stat();
  if (size > maxLogBytes) {
    await file.truncate();
    size = 0;
  }
  return { file, size };
}
