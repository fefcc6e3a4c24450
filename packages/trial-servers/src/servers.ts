/** Starts embedded servers for a command, each in a host process of its own, or joins those that another command holds. */
import { once } from 'node:events';
import { mkdir, realpath } from 'node:fs/promises';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { SourceError, TargetError, UsageError } from '../../../src/common/errors.ts';
import type { MigrationError } from '../../../src/common/errors.ts';
import { hasCode } from '../../../src/common/fs-errors.ts';
import { startHost } from './host-client.ts';
import type { HostOptions } from './host-client.ts';
import { readLiveHost } from './host-lock.ts';
import type { HostRecord } from './host-lock.ts';
import { pollUntil } from '../../../src/common/poll.ts';
import { databaseName, formatPostgresUrl, isAnswering } from './postgres/database.ts';
import { pgpassPath, readPgpass } from './postgres/pgpass.ts';
import { isSameProcessAlive } from './process-identity.ts';
import type { ServerKind } from './protocol.ts';

export interface EmbeddedServerOptions extends HostOptions {
  /** The folder of all embedded servers; each has a folder of its own in it. */
  readonly dataDir: string;
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
  /**
   * Fulfilled when the host has ended: undefined after a stop, else why. Never, when the server is not owned.
   * Waiting for it does not keep the process alive.
   */
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
/** Two hosts may claim a folder at the same moment; the one that lost retries. */
const maxAttempts = 5;

async function startServer(kind: ServerKind, options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const home = await makeHome(kind, options.dataDir);
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    const other = await waitForOther(home);
    if (other !== undefined) return await joinHeld(kind, home, other, options);
    const host = await startHost(kind, home, options);
    if (host !== 'busy') {
      return { ...host, url: await formatUrl(kind, home, host.port), isOwned: true, dataDir: home };
    }
  }
  throw new UsageError(`other commands keep taking ${home}`, {
    code: 'EMBEDDED_DATA_IN_USE',
    fix: 'Run one at a time, or give DATA_DIR another folder.',
  });
}

async function makeHome(kind: ServerKind, dataDir: string): Promise<string> {
  const home = resolve(dataDir, kind);
  try {
    await mkdir(home, { recursive: true });
    // One folder has one lock and one name, by any links.
    return await realpath(home);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST') || !(error instanceof Error)) {
      throw error;
    }
    throw new UsageError(`the data folder cannot be used: ${error.message}`, {
      code: 'DATA_DIR_UNUSABLE',
      fix: 'Give DATA_DIR a folder that you may write.',
      cause: error,
    });
  }
}

/** A live host that keeps running; one that is about to end is waited for. */
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
    code: 'EMBEDDED_HOST_STUCK',
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
      { code: 'EMBEDDED_DATA_IN_USE', fix: 'Wait for it to end, or give DATA_DIR another folder.' },
    );
  }
  const url = await formatUrl(kind, home, other.port);
  if (!(await (kind === 'postgres' ? isAnswering(url) : isListening(other.port)))) {
    const Side = kind === 'postgres' ? TargetError : SourceError;
    throw new Side(`the server that pid ${other.parent.pid} holds in ${home} does not answer`, {
      code: 'EMBEDDED_SERVER_SILENT',
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

async function formatUrl(kind: ServerKind, home: string, port: number): Promise<string> {
  if (kind === 'mongo') return `mongodb://127.0.0.1:${port}/`;
  const pgpass = await readPgpass(home);
  if (pgpass === undefined) {
    throw new TargetError(`the password file ${pgpassPath(home)} is gone`, {
      code: 'EMBEDDED_PASSWORD_LOST',
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
