/** A command's side of a host process: starts it, receives its messages, and reports when and why it has ended. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ExitCode,
  MigrationError,
  SourceError,
  TargetError,
  UsageError,
  toWireError,
} from '../../../src/common/errors.ts';
import type { WireError } from '../../../src/common/errors.ts';
import { unlessCode } from '../../../src/common/fs-errors.ts';
import type { HostRole } from './host-lock.ts';
import { stopOrphan } from './postgres/postmaster.ts';
import { openPrivateLog } from './private-file.ts';
import type { MessageFromHost, MessageToHost, ServerKind } from './protocol.ts';

export interface Host {
  /** Where the server listens. */
  readonly port: number;
  readonly pid: number;
  /** Fulfilled when the host has ended: undefined after a stop, else why. */
  readonly ended: Promise<MigrationError | undefined>;
  stop(): Promise<void>;
}

interface HostProcess {
  readonly child: ChildProcess;
  /** The output of the process, which it only has after an unexpected failure. */
  readonly logPath: string;
  /** Fulfilled, when it has ended and all its messages have arrived, with its exit code or signal. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

export interface HostOptions {
  readonly role: HostRole;
  readonly onNotice?: (message: string) => void;
  /** How much history change streams of a MongoDB find; the default is 256 MB. */
  readonly oplogBytes?: number;
}

/** Starts a host and its server; `busy` when another live host has the folder. Rejects when the server does not start. */
export async function startHost(
  kind: ServerKind,
  home: string,
  options: HostOptions,
): Promise<Host | 'busy'> {
  const { child, logPath, exited } = await forkHost(home);
  let isStopRequested = false;
  let hasEnded = false;
  let failure: MigrationError | undefined;

  const outcome = new Promise<number | 'busy' | undefined>((resolve) => {
    void exited.then(() => {
      resolve(undefined);
    });
    child.on('message', (message: MessageFromHost) => {
      switch (message.kind) {
        case 'notice':
          options.onNotice?.(message.message);
          break;
        case 'busy':
          resolve('busy');
          break;
        case 'started':
          resolve(message.port);
          break;
        case 'failed':
          failure = reviveError(kind, message.error);
          break;
        default:
          throw new Error(`unknown message ${JSON.stringify(message satisfies never)}`);
      }
    });
  });
  const ended = exited.then(async (end) => {
    hasEnded = true;
    // The database outlives a host that was killed outright, but must not outlive the command.
    if (typeof end === 'string' && kind === 'postgres') await stopLostPostgres(home);
    if (failure !== undefined || (isStopRequested && end === 0)) return failure;
    const log = (await unlessCode(readFile(logPath, 'utf8'), 'ENOENT')) ?? '';
    const message = `the host process of the embedded ${kind} ended (${end}) ${log}`.trim();
    const fix = 'Start again: what was committed is kept.';
    return reviveError(
      kind,
      toWireError(new MigrationError(ExitCode.internal, message, { code: 'EMBEDDED_HOST_ENDED', fix })),
    );
  });

  const { role, oplogBytes } = options;
  send(child, { kind: 'start', server: kind, home, role, oplogBytes });
  const port = await outcome;
  if (typeof port !== 'number') {
    const error = await ended;
    if (port === 'busy') return 'busy';
    throw error ?? new TargetError(`the embedded ${kind} did not start`, { code: 'EMBEDDED_NOT_STARTED' });
  }
  // A command that ends without a stop, by an error say, must not be kept alive by its servers: they end by themselves.
  child.unref();
  child.channel?.unref();
  return {
    port,
    pid: child.pid ?? 0,
    ended,
    async stop() {
      // A premature end is reported by `ended`, and would only hide why the caller stops.
      if (hasEnded) {
        await ended;
        return;
      }
      isStopRequested = true;
      child.ref();
      child.channel?.ref();
      send(child, { kind: 'stop' });
      const error = await ended;
      if (error !== undefined) throw error;
    },
  };
}

async function forkHost(home: string): Promise<HostProcess> {
  const logPath = join(home, 'host.log');
  const log = await openPrivateLog(logPath);
  try {
    // The message of the previous host is already known.
    await log.truncate();
    const child = fork(fileURLToPath(import.meta.resolve('./host.js')), {
      // Outside the terminal's foreground group: Ctrl-C is for the run, which stops its servers when it is done.
      detached: true,
      // Flags of ours, such as --inspect or --test, are not the host's.
      execArgv: [],
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
    });
    // Its last message may arrive after its end, so both must be awaited.
    const exit = new Promise<number | NodeJS.Signals>((resolve) => {
      child.once('exit', (code, signal) => {
        resolve(signal ?? code ?? ExitCode.internal);
      });
    });
    const disconnect = new Promise<void>((resolve) => {
      child.once('disconnect', resolve);
    });
    const exited = Promise.all([exit, disconnect]).then(([end]) => end);
    await once(child, 'spawn');
    // From here on a failure is a failed send, and the end that causes it is reported anyway.
    child.on('error', () => undefined);
    return { child, logPath, exited };
  } finally {
    await log.close();
  }
}

function send(child: ChildProcess, message: MessageToHost): void {
  // A host without a channel has ended or is about to, which `ended` reports.
  if (child.connected) child.send(message, () => undefined);
}

async function stopLostPostgres(home: string): Promise<void> {
  const cluster = join(home, 'cluster');
  // One that cannot be stopped is left to the next start, which says what to do about it.
  await stopOrphan((await unlessCode(realpath(cluster), 'ENOENT')) ?? cluster).catch(() => undefined);
}

/** Restores the class of an error of the host, so that callers can distinguish them. */
function reviveError(kind: ServerKind, { message, code, fix, exitCode }: WireError): MigrationError {
  if (exitCode === ExitCode.usage) return new UsageError(message, { code, fix });
  return kind === 'postgres'
    ? new TargetError(message, { code, fix })
    : new SourceError(message, { code, fix });
}
