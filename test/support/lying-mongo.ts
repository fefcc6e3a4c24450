/** The embedded MongoDB in the process of a test: its fail points have it return errors, old states, or writes that are rolled back. */

import assert from 'node:assert/strict';
import { after, before, type TestContext } from 'node:test';
import { MongoClient, type Document } from 'mongodb';
import { startMongoServer } from '../../packages/trial-servers/src/mongo/server.ts';
import { cleanUp } from './embedded.ts';

type ServerOptions = Parameters<typeof startMongoServer>[0];
type Mode = Document | 'alwaysOn';

export interface LyingMongo {
  readonly url: string;
  /** Sets a fail point until the end of the test. @returns what disables it before */
  lie(t: TestContext, name: string, data?: Document, mode?: Mode): Promise<() => Promise<void>>;
  /** Has commands of the tool fail until the end of the test. */
  failCommands(t: TestContext, data: Document, mode?: Mode): Promise<void>;
  admin(command: Document): Promise<Document>;
}

/** One for all tests of the suite that calls this. */
export function useLyingMongo(): () => LyingMongo {
  let started: Started | undefined;
  before(async () => {
    started = await start();
  });
  after(() => started?.close());
  return () => {
    assert.ok(started !== undefined, 'it is started before the first test');
    return started.mongo;
  };
}

/** One for a test alone. */
export async function startLyingMongo(t: TestContext, options: ServerOptions = {}): Promise<LyingMongo> {
  const { mongo, close } = await start(options);
  cleanUp(t, close);
  return mongo;
}

interface Started {
  readonly mongo: LyingMongo;
  readonly close: () => Promise<void>;
}

async function start(options: ServerOptions = {}): Promise<Started> {
  const server = await startMongoServer(options);
  const client = await MongoClient.connect(server.url);
  const admin = (command: Document): Promise<Document> => client.db('admin').command(command);
  const lie: LyingMongo['lie'] = async (t, configureFailPoint, data = {}, mode = 'alwaysOn') => {
    const end = async (): Promise<void> => {
      await admin({ configureFailPoint, mode: 'off' });
    };
    cleanUp(t, end);
    await admin({ configureFailPoint, mode, data });
    return end;
  };
  const mongo: LyingMongo = {
    url: server.url,
    lie,
    failCommands: async (t, data, mode) => {
      await lie(t, 'failCommand', { ...data, appName: 'mongo2pg' }, mode);
    },
    admin,
  };
  return {
    mongo,
    close: async () => {
      await client.close();
      await server.close();
    },
  };
}
