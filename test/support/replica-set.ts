/** A replica set of real mongods, as MongoDB is deployed: its primary can step down, or be killed and come back. */

import type { RunningServer } from './child-server.ts';
import { findPrimary } from './mongo-url.ts';
import { initiateSet, MongodMember, setName } from './mongod-member.ts';
import type { Mongod } from './mongod.ts';
import { stepDownPrimary } from './step-down.ts';

export interface ReplicaSet extends RunningServer {
  /** Fulfilled when another member takes writes. */
  readonly stepDown: () => Promise<void>;
  /** By SIGKILL. @returns a function that restarts that member */
  killPrimary(): Promise<() => Promise<void>>;
}

/** With its own data, which is removed with it. @param size how many members it has */
export async function startReplicaSet(mongod: Mongod, size = 3): Promise<ReplicaSet> {
  const members: MongodMember[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.remove()));
  };
  try {
    while (members.length < size) members.push(await MongodMember.create(mongod));
    await Promise.all(members.map((member) => member.start()));
    await initiateSet(members);
    const url = `mongodb://${members.map(({ host }) => host).join(',')}/?replicaSet=${setName}`;
    return {
      url,
      stop,
      stepDown: () => stepDownPrimary(url),
      async killPrimary() {
        const host = await findPrimary(url);
        const member = members.find((one) => one.host === host);
        if (member === undefined) throw new Error(`no member is at ${host}`);
        await member.stop('kill');
        return async () => {
          await member.start();
          // Until it has caught up, the next primary must not fail.
          await member.untilPrimary();
        };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
