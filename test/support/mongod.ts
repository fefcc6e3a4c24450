/** A real mongod from the PATH, as a replica set of one: the smallest that is deployed as MongoDB mostly is. */

import { execFileSync } from 'node:child_process';
import { MongoClient } from 'mongodb';
import { findFreePort } from '../../src/embedded/port.ts';
import { startChildServer, startInFolder, type RunningServer } from './child-server.ts';
import { waitUntil } from './embedded.ts';

/** As it tells it, such as 8.0.4; null when there is none. */
export function findMongodVersion(): string | null {
  try {
    const output = execFileSync('mongod', ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /db version v([\d.]+)/.exec(output)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** With data of its own, which goes with it. */
export function startMongod(): Promise<RunningServer> {
  return startInFolder('mongo2pg-mongod-', async (folder) => {
    const port = await findFreePort();
    const host = `127.0.0.1:${port}`;
    const server = await startChildServer(
      'mongod',
      [
        ...['--dbpath', folder, '--bind_ip', '127.0.0.1', '--port', String(port)],
        ...['--replSet', 'tests', '--setParameter', 'enableTestCommands=1'],
      ],
      /(Waiting for connections)/i,
    );
    const client = await MongoClient.connect(`mongodb://${host}/?directConnection=true`);
    try {
      const admin = client.db('admin');
      await admin.command({ replSetInitiate: { _id: 'tests', members: [{ _id: 0, host }] } });
      await waitUntil('the only member is primary', async () => {
        return (await admin.command({ hello: 1 })).isWritablePrimary === true;
      });
    } catch (error) {
      await server.stop();
      throw error;
    } finally {
      await client.close();
    }
    return { url: `mongodb://${host}/?replicaSet=tests`, stop: () => server.stop() };
  });
}
