/**
 * MongoDB's fail point `failCommand`. A server has only one, and test files run in parallel: each locks it
 * and names the clients that it applies to.
 */

import type { TestContext } from 'node:test';
import { MongoClient, type Document } from 'mongodb';
import { cleanUp } from './embedded.ts';
import { lockFailCommand } from './fail-command-lock.ts';
import { withMongoOptions } from './mongo-url.ts';
import { mongoUrl, postgresUrl } from './servers.ts';

export interface FailCommand {
  /** Connects clients that it applies to. */
  readonly url: string;
  set(mode: { times: number } | 'alwaysOn', data: Document): Promise<void>;
  /** @returns how many commands it has failed since it was locked */
  turnOff(): Promise<number>;
}

/** Until the end of the test, when it is switched off. @param appName of the clients that it applies to */
export async function takeFailCommand(t: TestContext, appName: string): Promise<FailCommand> {
  const unlock = await lockFailCommand(postgresUrl);
  cleanUp(t, unlock);
  const client = await MongoClient.connect(mongoUrl);
  cleanUp(t, () => client.close());
  // The server counts since its start.
  const configure = async (mode: unknown, data: Document = {}): Promise<number> => {
    const command = { configureFailPoint: 'failCommand', mode, data: { ...data, appName } };
    return Number((await client.db('admin').command(command)).count);
  };
  const before = await configure('off');
  cleanUp(t, () => configure('off'));
  return {
    url: withMongoOptions(mongoUrl, { appName }),
    set: async (mode, data) => {
      await configure(mode, data);
    },
    turnOff: async () => (await configure('off')) - before,
  };
}
