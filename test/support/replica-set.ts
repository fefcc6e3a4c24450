/** A replica set of real mongods, as MongoDB is deployed: its primary can step down, or be killed and come back. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient, MongoServerError } from 'mongodb';
import { findFreePort } from '../../packages/trial-servers/src/port.ts';
import { startChildServer, type ChildServer, type RunningServer } from './child-server.ts';
import { waitUntil } from './embedded.ts';
import type { Mongod } from './mongod.ts';
import { stepDownPrimary } from './step-down.ts';

const setName = 'tests';
const size = 3;

export interface ReplicaSet extends RunningServer {
  /** Fulfilled when another member takes writes. */
  readonly stepDown: () => Promise<void>;
  /** As `kill -9` does it. @returns what starts that member again */
  killPrimary(): Promise<() => Promise<void>>;
}

class Member {
  readonly host: string;
  readonly #start: () => Promise<ChildServer>;
  #server: ChildServer | undefined;

  constructor(mongod: Mongod, folder: string, port: number) {
    this.host = `127.0.0.1:${port}`;
    this.#start = () =>
      startChildServer(
        mongod.program,
        [
          ...['--dbpath', folder, '--bind_ip', '127.0.0.1', '--port', String(port), '--replSet', setName],
          // As little as can be: the documents of tests are few.
          ...['--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '100', '--nounixsocket'],
          ...[
            '--setParameter',
            'enableTestCommands=1',
            '--setParameter',
            'diagnosticDataCollectionEnabled=false',
          ],
        ],
        /(Waiting for connections)/i,
      );
  }

  async start(): Promise<void> {
    this.#server ??= await this.#start();
  }

  /** Its data goes, so that it need not end in good order. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.kill();
  }
}

/** With data of its own, which goes with it. */
export async function startReplicaSet(mongod: Mongod): Promise<ReplicaSet> {
  const folders: string[] = [];
  const members: Member[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  };
  try {
    for (let index = 0; index < size; index++) {
      const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-mongod-'));
      folders.push(folder);
      members.push(new Member(mongod, folder, await findFreePort()));
    }
    await Promise.all(members.map((member) => member.start()));
    const hosts = members.map(({ host }) => host);
    await initiate(hosts);
    const url = `mongodb://${hosts.join(',')}/?replicaSet=${setName}`;
    return {
      url,
      stop,
      stepDown: () => stepDownPrimary(url),
      async killPrimary() {
        const host = await findPrimary(url);
        const member = members.find((one) => one.host === host);
        if (member === undefined) throw new Error(`no member is at ${host}`);
        await member.kill();
        return () => member.start();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function initiate(hosts: readonly string[]): Promise<void> {
  const [first = ''] = hosts;
  const client = await MongoClient.connect(`mongodb://${first}/?directConnection=true`);
  try {
    const admin = client.db('admin');
    await admin.command({
      replSetInitiate: {
        _id: setName,
        members: hosts.map((host, _id) => ({ _id, host })),
        // A primary that is killed is missed soon.
        settings: { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500 },
      },
    });
    await waitUntil('one member is primary and all others are secondaries', async () => {
      const { members = [] } = await getStatus(client);
      const states = members.map(({ stateStr }) => stateStr).sort();
      return states.join() === 'PRIMARY,SECONDARY,SECONDARY';
    });
  } finally {
    await client.close();
  }
}

async function getStatus(client: MongoClient): Promise<{ members?: { stateStr: string }[] }> {
  try {
    return await client.db('admin').command({ replSetGetStatus: 1 });
  } catch (error) {
    // It may not have begun.
    if (error instanceof MongoServerError) return {};
    throw error;
  }
}

async function findPrimary(url: string): Promise<string> {
  const client = await MongoClient.connect(url);
  try {
    const { me } = (await client.db('admin').command({ hello: 1 })) as { me: string };
    return me;
  } finally {
    await client.close();
  }
}
