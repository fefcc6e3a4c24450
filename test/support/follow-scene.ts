/** Shared by fault tests of following: a scene whose collection is followed, and a MongoDB with its own fail points. */

import type { TestContext } from 'node:test';
import { MongoClient, type Document } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../packages/trial-servers/src/mongo/server.ts';
import { cleanUp } from './embedded.ts';
import { killInTime, setScene, setSceneOn, type Scene } from './fault.ts';
import { startFollowing, untilMerged, type Following } from './follow.ts';
import { testLimitMs } from './limits.ts';
import { createSandbox } from './servers.ts';

export interface FollowScene extends Scene {
  /** Starts the command with --follow; one that hangs ends its test. */
  follow(env?: Readonly<Record<string, string>>, ...args: string[]): Following;
  /** Waits until all writes so far are in the tables. @param following it must keep running meanwhile */
  untilMerged(following?: Following): Promise<void>;
}

/** Where the pool is not the subject. */
export const inline = { CLUSTER_IMPLEMENTATION: 'inline', CLUSTER_SIZE: '1' } as const;

/** On the shared servers. */
export async function setFollowScene(t: TestContext, count = 500): Promise<FollowScene> {
  return withFollowing(t, await setScene(t, count));
}

/** On a private MongoDB. */
export async function setFollowSceneOn(
  t: TestContext,
  mongoUrl: string,
  { count = 500, postgresUrl }: { readonly count?: number; readonly postgresUrl?: string } = {},
): Promise<FollowScene> {
  if (postgresUrl !== undefined) {
    return withFollowing(t, await setSceneOn(t, { mongoUrl, postgresUrl }, count));
  }
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  return withFollowing(t, await setSceneOn(t, { mongoUrl, postgresUrl: sandbox.postgresUrl }, count));
}

function withFollowing(t: TestContext, scene: Scene): FollowScene {
  return {
    ...scene,
    follow: (env = {}, ...args) => {
      const following = startFollowing({ ...scene.env, ...env }, args);
      killInTime(t, following.process, testLimitMs);
      return following;
    },
    untilMerged: (following) => untilMerged(scene, following),
  };
}

/** The embedded MongoDB, in the process of the test. */
export interface LyingMongo {
  readonly url: string;
  /** @param mode `off` disables it */
  setFailPoint(name: string, mode: Document | 'alwaysOn' | 'off', data?: Document): Promise<void>;
  admin(command: Document): Promise<Document>;
  close(): Promise<void>;
}

export async function startLyingMongo(
  options: Parameters<typeof startMongoServer>[0] = {},
): Promise<LyingMongo> {
  const server: MongoServer = await startMongoServer(options);
  const client = await MongoClient.connect(server.url);
  const admin = (command: Document): Promise<Document> => client.db('admin').command(command);
  return {
    url: server.url,
    setFailPoint: async (configureFailPoint, mode, data) => {
      await admin({ configureFailPoint, mode, ...(data === undefined ? {} : { data }) });
    },
    admin,
    close: async () => {
      await client.close();
      await server.close();
    },
  };
}
