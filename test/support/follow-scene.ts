/** The scene of a fault test whose collection is followed. */

import type { TestContext } from 'node:test';
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
