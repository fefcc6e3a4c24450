/** URLs of MongoDB with other options, or of one host: a replica set's names several, of which `URL` knows nothing. */

import { MongoClient } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';

/** The same URL with these options set. */
export function withMongoOptions(url: string, options: Readonly<Record<string, string>>): string {
  const changed = new ConnectionString(url);
  for (const [name, value] of Object.entries(options)) changed.searchParams.set(name, value);
  return changed.href;
}

/**
 * The same URL, whose writes are fulfilled when no reader of the majority misses them: what MongoDB does by itself since
 * 5.0, https://www.mongodb.com/docs/manual/reference/write-concern/#implicit-default-write-concern
 */
export function withMajority(url: string): string {
  return new ConnectionString(url).searchParams.has('w') ? url : withMongoOptions(url, { w: 'majority' });
}

export function withMongoUser(url: string, user: string, password: string): string {
  const changed = new ConnectionString(url);
  [changed.username, changed.password] = [user, password];
  return changed.href;
}

/** The same URL with one host alone, whatever set that is a member of. */
export function toHost(url: string, host: string): string {
  const changed = new ConnectionString(url);
  changed.hosts = [host];
  changed.searchParams.delete('replicaSet');
  // A driver that is told the hosts of a replica set would go to them.
  changed.searchParams.set('directConnection', 'true');
  return changed.href;
}

/** The host and port of the server that takes writes. */
export async function findPrimary(url: string): Promise<string> {
  const client = await MongoClient.connect(url);
  try {
    const { me } = (await client.db('admin').command({ hello: 1 })) as { me?: string };
    // One that is in no set tells no name.
    return me ?? new ConnectionString(url).hosts[0] ?? '';
  } finally {
    await client.close();
  }
}

/** Its port on loopback, for a proxy that stands before one host. */
export async function findPrimaryPort(url: string): Promise<number> {
  return Number((await findPrimary(url)).split(':').at(-1));
}
