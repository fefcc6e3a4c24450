/**
 * The host process of one embedded server: starts it, and stops it on request or when the command that started
 * the host has ended in any way.
 *
 * It runs in a session of its own, so that Ctrl-C in the terminal reaches the run and not the database under it.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MigrationError, SourceError, TargetError, toWireError } from '../../../src/common/errors.ts';
import { hasCode, unlessCode } from '../../../src/common/fs-errors.ts';
import { claimHostLock } from './host-lock.ts';
import type { HostLock } from './host-lock.ts';
import type { MongoServerOptions } from './mongo/server.ts';
import { findFreePort } from './port.ts';
import { replacePrivateFile } from './private-file.ts';
import { identifyProcess } from './process-identity.ts';
import type { MessageFromHost, MessageToHost, ServerKind, StartMessage } from './protocol.ts';

interface Server {
  readonly port: number;
  /** Rejects when the server ends by itself. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

const parentPid = process.ppid;
const stopping = new AbortController();
let lifetime: Promise<number> | undefined;

process.title = 'mongo2pg host';
process.on('SIGINT', () => undefined);
for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    requestStop();
  });
}
process.once('disconnect', () => {
  requestStop();
});
process.on('message', (message: MessageToHost) => {
  switch (message.kind) {
    case 'start':
      lifetime ??= live(message);
      void lifetime.then((exitCode) => {
        process.exit(exitCode);
      });
      break;
    case 'stop':
      requestStop();
      break;
    default:
      throw new Error(`unknown message ${JSON.stringify(message satisfies never)}`);
  }
});

function requestStop(): void {
  stopping.abort();
  // Without a server there is nothing to stop.
  if (lifetime === undefined) process.exit(0);
}

/** All that a host does, from the lock to its release. Fulfilled with the exit code; never rejects. */
async function live(message: StartMessage): Promise<number> {
  const { server: kind, home, role } = message;
  let lock: HostLock | undefined;
  let server: Server | undefined;
  let failure: unknown;
  try {
    await mkdir(home, { recursive: true });
    const [host, parent] = await Promise.all([identifyProcess(process.pid), identifyProcess(parentPid)]);
    if (host === undefined || parent === undefined) return 0;
    lock = await claimHostLock(home, { role, state: 'starting', port: 0, host, parent });
    if (lock === undefined) {
      await send({ kind: 'busy' });
      return 0;
    }
    server = await startServer(message);
    await lock.update({ state: 'ready', port: server.port });
    await send({ kind: 'started', port: server.port });
    await Promise.race([server.failed, untilStopping()]);
  } catch (error) {
    // An error after a stop is not a failure.
    if (!stopping.signal.aborted) failure = error;
  }
  try {
    await lock?.update({ state: 'stopping' });
    await server?.close();
    await lock?.release();
  } catch (error) {
    failure ??= error;
  }
  if (failure === undefined) return 0;
  const error = describeFailure(failure, kind, home);
  await send({ kind: 'failed', error: toWireError(error) });
  return error.exitCode;
}

/** Loads the code of this server only, since that of both takes most of a host's start. */
async function startServer({ server, home, oplogBytes }: StartMessage): Promise<Server> {
  const onNotice = (message: string): void => {
    void send({ kind: 'notice', message });
  };
  switch (server) {
    case 'postgres': {
      const { startPostgresServer } = await import('./postgres/server.ts');
      return await startPostgresServer({ home, signal: stopping.signal, onNotice });
    }
    case 'mongo':
      return await startMongo(home, {
        onWarning: onNotice,
        ...(oplogBytes === undefined ? {} : { oplogBytes }),
      });
  }
}

async function startMongo(home: string, options: MongoServerOptions): Promise<Server> {
  const { startMongoServer } = await import('./mongo/server.ts');
  const portFile = join(home, 'port');
  const lastPort = Number((await unlessCode(readFile(portFile, 'utf8'), 'ENOENT')) ?? 0);
  const dataDir = join(home, 'data');
  await mkdir(dataDir, { recursive: true });
  const port = await findFreePort(lastPort);
  // The port was free a moment ago; if it was lost in between, any other will do.
  const mongo = await startMongoServer({ ...options, dataDir, port }).catch((error: unknown) => {
    if (hasCode(error, 'EADDRINUSE')) return startMongoServer({ ...options, dataDir });
    throw error;
  });
  await replacePrivateFile(portFile, `${mongo.port}\n`);
  return {
    port: mongo.port,
    // It lives in this process, and so ends with it.
    failed: new Promise<never>(() => undefined),
    close: () => mongo.close(),
  };
}

async function untilStopping(): Promise<void> {
  await new Promise<void>((resolve) => {
    if (stopping.signal.aborted) {
      resolve();
    } else {
      stopping.signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
    }
  });
}

function describeFailure(failure: unknown, kind: ServerKind, home: string): MigrationError {
  if (failure instanceof MigrationError) return failure;
  const Side = kind === 'postgres' ? TargetError : SourceError;
  const name = kind === 'postgres' ? 'Postgres' : 'MongoDB server';
  if (hasCode(failure, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC') && failure instanceof Error) {
    return new Side(`the embedded ${name} cannot use ${home}: ${failure.message}`, {
      code: 'EMBEDDED_DATA_UNREACHABLE',
      fix: 'Run as the user whom that folder belongs to, or give DATA_DIR another folder.',
      cause: failure,
    });
  }
  const reason = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
  return new Side(`the embedded ${name} failed: ${reason}`, {
    code: 'EMBEDDED_SERVER_FAILED',
    fix: `Set ${kind === 'postgres' ? 'POSTGRES_URL' : 'MONGO_URL'} to your own server.`,
    cause: failure,
  });
}

/** Fulfilled when the message has been sent, or when the other side has ended. */
async function send(message: MessageFromHost): Promise<void> {
  await new Promise<void>((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, undefined, {}, () => {
      resolve();
    });
  });
}
