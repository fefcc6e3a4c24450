/**
 * Private servers of a test, which it may stop, crash and restart; the port and the data stay. A Postgres takes most
 * of a second to start, so share one in a file.
 */

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedMongo, startEmbeddedPostgres } from '../../packages/trial-servers/src/servers.ts';
import type { EmbeddedServer, EmbeddedServerOptions } from '../../packages/trial-servers/src/servers.ts';
import { setDateStyle } from './date-style.ts';
import { hold, readPostmasterPid } from './embedded.ts';
import { initiateSet, MongodMember, type MongoStopMode } from './mongod-member.ts';
import type { Mongod } from './mongod.ts';
import { copyPostgresTemplate } from './postgres-template.ts';
import { makeServerFolder } from './server-folder.ts';

export interface PrivateServer<StopMode> {
  /** The same over all starts. */
  readonly url: string;
  readonly port: number;
  /** Fulfilled when the server's process has ended. */
  stop(mode?: StopMode): Promise<void>;
  /** Fulfilled when it takes connections. */
  start(): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  /** Stops it and deletes its data. */
  remove(): Promise<void>;
}

/**
 * `fast`: transactions are rolled back, clients disconnected, all is written. `immediate`: all processes are killed, and
 * the next start recovers from the log. https://www.postgresql.org/docs/current/server-shutdown.html
 */
export type PostgresStopMode = 'fast' | 'immediate';

export async function startPrivatePostgres(): Promise<PrivateServer<PostgresStopMode>> {
  const server = await startPrivate(
    startEmbeddedPostgres,
    async (server, dataDir, mode: PostgresStopMode = 'fast') => {
      if (mode === 'fast') {
        await server.stop();
        return;
      }
      process.kill(await readPostmasterPid(dataDir), 'SIGQUIT');
      assert.match(String(await hold(server.ended)), /ended/, 'the end was not asked for');
    },
  );
  await setDateStyle(server.url);
  return server;
}

/** Acknowledged writes are kept in either case. */
export interface PrivateMongo extends PrivateServer<MongoStopMode> {
  /** A stopped one, without its data. */
  startEmpty(): Promise<void>;
}

/** The program of a real mongod, if private servers must be real ones. */
export const privateMongodVariable = 'TEST_PRIVATE_MONGOD';

/**
 * The embedded MongoDB in a process of its own, or a real one as a replica set of one.
 * @param options `oplogBytes` is for the embedded one: no real one has less than 990 MB
 */
export async function startPrivateMongo(
  options: Pick<EmbeddedServerOptions, 'oplogBytes'> = {},
): Promise<PrivateMongo> {
  const program = process.env[privateMongodVariable];
  if (program !== undefined) return await startPrivateMongod({ program });
  const { dataDir, ...server } = await startPrivate(
    startEmbeddedMongo,
    async (server, _dataDir, mode: MongoStopMode = 'fast') => {
      if (mode === 'fast') {
        await server.stop();
        return;
      }
      process.kill(server.pid, 'SIGKILL');
      assert.match(String(await hold(server.ended)), /SIGKILL/, 'the end was not asked for');
    },
    options,
  );
  return {
    ...server,
    async startEmpty() {
      await rm(join(dataDir, 'mongo', 'data'), { recursive: true });
      await server.start();
    },
  };
}

async function startPrivateMongod(mongod: Pick<Mongod, 'program'>): Promise<PrivateMongo> {
  const member = await MongodMember.create(mongod);
  const stop = (mode: MongoStopMode = 'fast'): Promise<void> => member.stop(mode);
  const start = async (): Promise<void> => {
    await member.start();
    await member.untilPrimary();
  };
  try {
    await member.start();
    await initiateSet([member]);
  } catch (error) {
    await member.remove();
    throw error;
  }
  return {
    url: member.url,
    port: member.port,
    stop,
    start,
    async restart(mode) {
      await stop(mode);
      await start();
    },
    async startEmpty() {
      await member.empty();
      await member.start();
      await initiateSet([member]);
    },
    remove: () => member.remove(),
  };
}

async function startPrivate<StopMode>(
  startServer: (options: EmbeddedServerOptions) => Promise<EmbeddedServer>,
  stopServer: (server: EmbeddedServer, dataDir: string, mode?: StopMode) => Promise<void>,
  options: Pick<EmbeddedServerOptions, 'oplogBytes'> = {},
): Promise<PrivateServer<StopMode> & { readonly dataDir: string }> {
  const dataDir = await makeServerFolder();
  if (startServer === startEmbeddedPostgres) await copyPostgresTemplate(dataDir);
  const { url, port, ...first } = await startServer({ ...options, dataDir, role: 'run' });
  let running: EmbeddedServer | undefined = { url, port, ...first };

  const stop = async (mode?: StopMode): Promise<void> => {
    if (running === undefined) return;
    const server = running;
    running = undefined;
    await stopServer(server, dataDir, mode);
  };
  const start = async (): Promise<void> => {
    running ??= await startServer({ ...options, dataDir, role: 'run' });
    assert.equal(running.port, port, 'another program took the port meanwhile');
  };
  return {
    url,
    port,
    dataDir,
    stop,
    start,
    async restart(mode) {
      await stop(mode);
      await start();
    },
    async remove() {
      await stop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
