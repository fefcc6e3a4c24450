/** A real mongod as a member of a replica set: started, ended and started again on the same port and data. */

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient, MongoServerError } from 'mongodb';
import { findFreePort } from '../../packages/trial-servers/src/port.ts';
import { startChildServer, type ChildServer } from './child-server.ts';
import { waitUntil } from './embedded.ts';
import type { Mongod } from './mongod.ts';

export const setName = 'tests';

/** `fast`: by SIGTERM. `kill`: by SIGKILL. */
export type MongoStopMode = 'fast' | 'kill';

export class MongodMember {
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  readonly #mongod: Pick<Mongod, 'program'>;
  #server: ChildServer | undefined;

  /** Not started yet. */
  static async create(mongod: Pick<Mongod, 'program'>): Promise<MongodMember> {
    const port = await findFreePort();
    return new MongodMember(mongod, port, await mkdtemp(join(tmpdir(), 'mongo2pg-mongod-')));
  }

  private constructor(mongod: Pick<Mongod, 'program'>, port: number, folder: string) {
    this.#mongod = mongod;
    this.port = port;
    this.host = `127.0.0.1:${port}`;
    this.folder = folder;
  }

  async start(): Promise<void> {
    const { folder, port } = this;
    this.#server ??= await startChildServer(
      this.#mongod.program,
      [
        ...['--dbpath', folder, '--bind_ip', '127.0.0.1', '--port', String(port), '--replSet', setName],
        // The minimum: tests have few documents.
        ...['--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '100', '--nounixsocket'],
        ...['--setParameter', 'enableTestCommands=1'],
        ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
      ],
      /(Waiting for connections)/i,
    );
  }

  async stop(mode: MongoStopMode): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (mode === 'kill') await server?.kill();
    else await server?.stop();
  }

  /** The URL of this member alone. */
  get url(): string {
    return `mongodb://${this.host}/?directConnection=true`;
  }

  /** Fulfilled when its set has a primary, and all others replicate from it. */
  async untilPrimary(): Promise<void> {
    const client = await MongoClient.connect(this.url);
    try {
      await waitUntil('one member is primary and all others are secondaries', async () => {
        const [first, ...others] = (await listStates(client)).sort();
        return first === 'PRIMARY' && others.every((state) => state === 'SECONDARY');
      });
    } finally {
      await client.close();
    }
  }

  /** Without its data, as on a new machine; it does not run. */
  async empty(): Promise<void> {
    await rm(this.folder, { recursive: true });
    await mkdir(this.folder);
  }

  /** Removes its data, so that it may be killed. */
  async remove(): Promise<void> {
    await this.stop('kill');
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Makes one set of them, all of which run and are in none; fulfilled once it takes writes. */
export async function initiateSet(members: readonly MongodMember[]): Promise<void> {
  const [first] = members;
  if (first === undefined) throw new Error('a set has members');
  const client = await MongoClient.connect(first.url);
  try {
    await client.db('admin').command({
      replSetInitiate: {
        _id: setName,
        members: members.map(({ host }, _id) => ({ _id, host })),
        // A killed primary is detected soon.
        settings: { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500 },
      },
    });
  } finally {
    await client.close();
  }
  await first.untilPrimary();
}

async function listStates(client: MongoClient): Promise<string[]> {
  try {
    const status = await client.db('admin').command({ replSetGetStatus: 1 });
    return (status.members as { stateStr: string }[]).map(({ stateStr }) => stateStr);
  } catch (error) {
    // It may not have begun.
    if (error instanceof MongoServerError) return [];
    throw error;
  }
}
