/** Starts embedded servers for a command, each in a host process of its own, or joins those that another command holds. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, realpath } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExitCode, MigrationError, SourceError, TargetError, UsageError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { hasCode, unlessCode } from './fs-errors.ts';
import { readLiveHost } from './host-lock.ts';
import type { HostRecord, HostRole } from './host-lock.ts';
import { pollUntil } from './poll.ts';
import { databaseName, formatPostgresUrl, isAnswering } from './postgres/database.ts';
import { pgpassPath, readPgpass } from './postgres/pgpass.ts';
import { stopOrphan } from './postgres/postmaster.ts';
import { isSameProcessAlive } from './process-identity.ts';
import type { MessageFromHost, MessageToHost, ServerKind } from './protocol.ts';

export interface EmbeddedServerOptions {
  /** The folder of all embedded servers; each has a folder of its own in it. */
  readonly dataDir: string;
  readonly role: HostRole;
  readonly onNotice?: (message: string) => void;
}

export interface EmbeddedServer {
  /** Holds the password, if there is one: not to be printed. */
  readonly url: string;
  readonly port: number;
  /** The host process. */
  readonly pid: number;
  /** False when another command holds the server, which then outlives this one. */
  readonly isOwned: boolean;
  /** The folder of this server. */
  readonly dataDir: string;
  /** Fulfilled when the host has ended: undefined after a stop, else why. Never, when the server is not owned. */
  readonly ended: Promise<MigrationError | undefined>;
  /** Ends the server and waits for its end; may be called again. Does nothing when the server is not owned. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgres extends EmbeddedServer {
  readonly pgpassPath: string;
  /** What psql needs to connect, without the password itself. */
  readonly psqlEnv: Readonly<Record<'PGHOST' | 'PGPORT' | 'PGUSER' | 'PGDATABASE' | 'PGPASSFILE', string>>;
}

/** Rejects with UsageError when another run uses the folder or the package is missing, else with TargetError. */
export async function startEmbeddedPostgres(options: EmbeddedServerOptions): Promise<EmbeddedPostgres> {
  const server = await startServer('postgres', options);
  const passwordFile = pgpassPath(server.dataDir);
  return {
    ...server,
    pgpassPath: passwordFile,
    psqlEnv: {
      PGHOST: '127.0.0.1',
      PGPORT: String(server.port),
      PGUSER: 'postgres',
      PGDATABASE: databaseName,
      PGPASSFILE: passwordFile,
    },
  };
}

/** Rejects with UsageError when another run uses the folder, else with SourceError. */
export async function startEmbeddedMongo(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  return await startServer('mongo', options);
}

/** A host takes at most about 80 s to end its server (see postgres/postmaster.ts), and its start much less. */
const otherHostLimitMs = 100_000;
/** Two hosts may claim a folder at the same moment; the one that lost looks again. */
const maxAttempts = 5;

async function startServer(kind: ServerKind, options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const home = await makeHome(kind, options.dataDir);
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    const other = await waitForOther(home);
    if (other !== undefined) return await joinHeld(kind, home, other, options);
    const started = await startHost(kind, home, options);
    if (started !== 'busy') return started;
  }
  throw new UsageError(`other commands keep taking ${home}`, {
    fix: 'Run one at a time, or give DATA_DIR another folder.',
  });
}

async function makeHome(kind: ServerKind, dataDir: string): Promise<string> {
  const home = resolve(dataDir, kind);
  try {
    await mkdir(home, { recursive: true });
    // One folder, one lock and one name, by whichever links it is reached.
    return await realpath(home);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST') || !(error instanceof Error))
      throw error;
    throw new UsageError(`the data folder cannot be used: ${error.message}`, {
      fix: 'Give DATA_DIR a folder that you may write.',
      cause: error,
    });
  }
}

/** A live host that will go on living; one that is about to end is waited for. */
async function waitForOther(home: string): Promise<HostRecord | undefined> {
  const found = await pollUntil<HostRecord | 'none'>(async () => {
    const record = await readLiveHost(home);
    if (record === undefined) return 'none';
    if (record.state === 'stopping') return undefined;
    // Its parent was killed a moment ago, and it has not noticed yet.
    if (!(await isSameProcessAlive(record.parent))) return undefined;
    return record.role === 'held' && record.state === 'starting' ? undefined : record;
  }, otherHostLimitMs);
  if (found === 'none') return undefined;
  if (found !== undefined) return found;
  throw new UsageError(`the host process of ${home} neither starts nor ends`, {
    fix: 'Give DATA_DIR another folder, or end that process (its pid is in host.json there).',
  });
}

async function joinHeld(
  kind: ServerKind,
  home: string,
  other: HostRecord,
  { role, dataDir }: EmbeddedServerOptions,
): Promise<EmbeddedServer> {
  if (other.role === 'run') {
    const who = role === 'held' ? 'a run' : 'another run';
    throw new UsageError(
      `${who} (pid ${other.parent.pid}) is using the embedded servers in ${resolve(dataDir)}`,
      {
        fix: 'Wait for it to end, or give DATA_DIR another folder.',
      },
    );
  }
  const url = await formatUrl(kind, home, other.port);
  if (!(await (kind === 'postgres' ? isAnswering(url) : isListening(other.port)))) {
    const Side = kind === 'postgres' ? TargetError : SourceError;
    throw new Side(`the server that pid ${other.parent.pid} holds in ${home} does not answer`, {
      fix: `Stop that command and try again; the server's log is in ${home}.`,
    });
  }
  return {
    url,
    port: other.port,
    pid: other.host.pid,
    isOwned: false,
    dataDir: home,
    ended: new Promise(() => undefined),
    stop: () => Promise.resolve(),
  };
}

async function startHost(
  kind: ServerKind,
  home: string,
  { role, onNotice }: EmbeddedServerOptions,
): Promise<EmbeddedServer | 'busy'> {
  const logPath = join(home, 'host.log');
  const log = await open(logPath, 'w', 0o600);
  const child = fork(fileURLToPath(import.meta.resolve('./host.js')), {
    // Out of the terminal's foreground group: Ctrl-C is for the run, which ends its servers when it is done.
    detached: true,
    // Flags of ours, such as --inspect or --test, are not the host's.
    execArgv: [],
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  });
  await log.close();

  let isStopRequested = false;
  let hasEnded = false;
  let failure: MigrationError | undefined;
  const ended = once(child, 'exit').then(
    async ([code, signal]: (number | string | null)[]) => {
      // The database outlives a host that was killed outright, but must not outlive the run.
      hasEnded = true;
      if (signal !== null && kind === 'postgres')
        await stopOrphan(await findCluster(home)).catch(() => undefined);
      if (failure !== undefined || (isStopRequested && code === 0)) return failure;
      const crash = (await unlessCode(readFile(logPath, 'utf8'), 'ENOENT')) ?? '';
      return reviveError(kind, {
        message: `the host process of the embedded ${kind} ended (${String(signal ?? code)}) ${crash}`.trim(),
        fix: 'Start again: what was committed is kept.',
        exitCode: ExitCode.internal,
      });
    },
    (error: unknown) =>
      reviveError(kind, {
        message: `no host process could be started: ${String(error)}`,
        fix: '',
        exitCode: ExitCode.internal,
      }),
  );

  const settled = new Promise<number | 'busy' | undefined>((resolveStart) => {
    void ended.then(() => {
      resolveStart(undefined);
    });
    child.on('message', (message: MessageFromHost) => {
      switch (message.kind) {
        case 'notice':
          onNotice?.(message.message);
          break;
        case 'busy':
          resolveStart('busy');
          break;
        case 'started':
          resolveStart(message.port);
          break;
        case 'failed':
          failure = reviveError(kind, message.error);
          break;
        default:
          throw new Error(`unknown message ${JSON.stringify(message satisfies never)}`);
      }
    });
  });
  send(child, { kind: 'start', server: kind, home, role });

  const port = await settled;
  if (typeof port !== 'number') {
    isStopRequested = port === 'busy';
    const error = await ended;
    if (port === 'busy') return 'busy';
    throw error ?? new TargetError(`the embedded ${kind} did not start`);
  }
  // A command that ends without a stop, by an error say, must not be kept alive by its servers: they end by themselves.
  child.unref();
  child.channel?.unref();
  return {
    url: await formatUrl(kind, home, port),
    port,
    pid: child.pid ?? 0,
    isOwned: true,
    dataDir: home,
    ended,
    async stop() {
      // An end before its time is told by `ended`, and would only hide why the caller stops.
      if (hasEnded) {
        await ended;
        return;
      }
      isStopRequested = true;
      child.ref();
      send(child, { kind: 'stop' });
      const error = await ended;
      if (error !== undefined) throw error;
    },
  };
}

function send(child: ChildProcess, message: MessageToHost): void {
  // A host that can no longer hear has ended or is about to, which `ended` tells.
  if (child.connected) child.send(message, () => undefined);
}

async function findCluster(home: string): Promise<string> {
  const cluster = join(home, 'cluster');
  return (await unlessCode(realpath(cluster), 'ENOENT')) ?? cluster;
}

async function formatUrl(kind: ServerKind, home: string, port: number): Promise<string> {
  if (kind === 'mongo') return `mongodb://127.0.0.1:${port}/`;
  const pgpass = await readPgpass(home);
  if (pgpass === undefined) {
    throw new TargetError(`the password file ${pgpassPath(home)} is gone`, {
      fix: 'Stop the servers and start them again, which makes a new one.',
    });
  }
  return formatPostgresUrl(port, pgpass.password);
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Makes the error what it was in the host, so that callers can tell kinds apart. */
function reviveError(kind: ServerKind, { message, fix, exitCode }: WireError): MigrationError {
  if (exitCode === ExitCode.usage) return new UsageError(message, { fix });
  return kind === 'postgres' ? new TargetError(message, { fix }) : new SourceError(message, { fix });
}
