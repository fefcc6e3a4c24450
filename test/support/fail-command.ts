/**
 * MongoDB's fail point `failCommand`. A server has one, whoever sets it, and test files run side by side: each takes it
 * for itself, and names the clients that it is for.
 */

import type { TestContext } from 'node:test';
import { MongoClient, type Document } from 'mongodb';
import { cleanUp } from './embedded.ts';
import { lockFailCommand } from './fail-command-lock.ts';
import { withMongoOptions } from './mongo-url.ts';
import { mongoUrl, postgresUrl } from './servers.ts';

export interface FailCommand {
  /** Connects the clients that are meant. */
  readonly url: string;
  set(mode: { times: number } | 'alwaysOn', data: Document): Promise<void>;
  /** @returns how many commands it met since it was taken */
  turnOff(): Promise<number>;
}

/** Until the end of the test, at which it is off. @param appName what the clients that are meant are called */
export async function takeFailCommand(t: TestContext, appName: string): Promise<FailCommand> {
  const unlock = await lockFailCommand(postgresUrl);
  cleanUp(t, unlock);
  const client = await MongoClient.connect(mongoUrl);
  cleanUp(t, () => client.close());
  // The server counts over all of its life.
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
