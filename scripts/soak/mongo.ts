/** The MongoDB of a soak: embedded, an existing one, or a replica set of a real mongod; and its faults. */

import { findMongod, identifyMongo, type Mongod } from '../../test/support/mongod.ts';
import {
  privateMongodVariable,
  startPrivateMongo,
  type PrivateMongo,
} from '../../test/support/private-servers.ts';
import { startReplicaSet } from '../../test/support/replica-set.ts';
import { stepDownPrimary } from '../../test/support/step-down.ts';
import { startProxy } from '../../test/support/tcp-proxy.ts';

export interface SoakMongo {
  /** As it reports it. */
  readonly text: string;
  /** A client of the soak, which no fault affects. */
  readonly url: string;
  readonly commandUrl: string;
  /** Of the one server, or null: clients discover the members of a set, so that proxies would be bypassed. */
  readonly proxyPort: number | null;
  /** Writes of more than so much push all history out; null if that is too much to write. */
  readonly oplogBytes: number | null;
  /** By name; each is fulfilled when the server takes writes again. */
  readonly faults: Readonly<Record<string, () => Promise<void> | void>>;
  remove(): Promise<void>;
}

/** More than is written during a restart of a command, and soon pushed out. */
const smallOplogBytes = 16_000_000;

/** @param members of the replica set of a real mongod; 0 for the embedded one, absent for the available one */
export async function startSoakMongo(members: number | undefined): Promise<SoakMongo> {
  const given = process.env.TEST_MONGO_URL;
  if (given !== undefined && members === undefined) {
    return describe('of TEST_MONGO_URL', await useGiven(given));
  }
  const mongod = members === 0 ? null : findMongod();
  if (mongod === null) {
    if ((members ?? 0) > 0) throw new Error('there is no mongod on the PATH, and TEST_MONGOD names none');
    return describe('embedded', await startOne(smallOplogBytes));
  }
  const size = members ?? 3;
  return describe(
    `a replica set of ${size}`,
    size === 1 ? await startOneOf(mongod) : await startSet(mongod, size),
  );
}

async function describe(what: string, mongo: Omit<SoakMongo, 'text'>): Promise<SoakMongo> {
  const { version } = await identifyMongo(mongo.url);
  return { ...mongo, text: `MongoDB ${version} (${what})` };
}

async function startOneOf({ program }: Mongod): Promise<Omit<SoakMongo, 'text'>> {
  process.env[privateMongodVariable] = program;
  return await startOne(null);
}

/** One server, with a proxy in front of it. */
async function startOne(oplogBytes: number | null): Promise<Omit<SoakMongo, 'text'>> {
  const mongo: PrivateMongo = await startPrivateMongo(oplogBytes === null ? {} : { oplogBytes });
  const proxy = await startProxy(mongo);
  return {
    url: mongo.url,
    commandUrl: proxy.url(mongo.url),
    proxyPort: proxy.port,
    oplogBytes,
    faults: {
      'MongoDB restarted, fast': () => mongo.restart('fast'),
      'MongoDB killed and started': () => mongo.restart('kill'),
      'connections to MongoDB cut': () => {
        proxy.cut();
      },
    },
    async remove() {
      await proxy.close();
      await mongo.remove();
    },
  };
}

async function startSet(mongod: Mongod, size: number): Promise<Omit<SoakMongo, 'text'>> {
  const set = await startReplicaSet(mongod, size);
  return {
    url: set.url,
    commandUrl: set.url,
    proxyPort: null,
    oplogBytes: null,
    faults: {
      'MongoDB steps down': set.stepDown,
      'primary of MongoDB killed, and started': async () => {
        const start = await set.killPrimary();
        await start();
      },
    },
    remove: () => set.stop(),
  };
}

async function useGiven(url: string): Promise<Omit<SoakMongo, 'text'>> {
  const { members } = await identifyMongo(url);
  const hasOthers = members > 1;
  return {
    url,
    commandUrl: url,
    proxyPort: null,
    oplogBytes: null,
    faults: hasOthers ? { 'MongoDB steps down': () => stepDownPrimary(url) } : {},
    remove: () => Promise.resolve(),
  };
}
