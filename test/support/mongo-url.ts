/** URLs of MongoDB with other options, or of one host: a replica set's URL has several hosts, which `URL` does not parse. */

import { MongoClient } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';

/** The same URL with these options set. */
export function withMongoOptions(url: string, options: Readonly<Record<string, string>>): string {
  const changed = new ConnectionString(url);
  for (const [name, value] of Object.entries(options)) changed.searchParams.set(name, value);
  return changed.href;
}

/**
 * The same URL with a short server selection of the driver, so that the tool soon gets its errors. A server that is there answers
 * within that time also on a busy machine.
 */
export function withShortSelection(url = ''): string {
  return withMongoOptions(url, { serverSelectionTimeoutMS: '3000' });
}

/**
 * The same URL with write concern majority, so that majority readers see all writes: the default of MongoDB since
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

/** The same URL with one host alone, a member of any set. */
export function toHost(url: string, host: string): string {
  const changed = new ConnectionString(url);
  changed.hosts = [host];
  changed.searchParams.delete('replicaSet');
  // A driver would discover the hosts of a replica set and use them.
  changed.searchParams.set('directConnection', 'true');
  return changed.href;
}

/** The host and port of the server that takes writes. */
export async function findPrimary(url: string): Promise<string> {
  const client = await MongoClient.connect(url);
  try {
    const { me } = (await client.db('admin').command({ hello: 1 })) as { me?: string };
    // A standalone reports no name.
    return me ?? new ConnectionString(url).hosts[0] ?? '';
  } finally {
    await client.close();
  }
}

/** The same URL with the host alone that takes writes. */
export async function toPrimary(url: string): Promise<string> {
  return toHost(url, await findPrimary(url));
}

/** Its port on loopback, for a proxy in front of one host. */
export async function findPrimaryPort(url: string): Promise<number> {
  return Number((await findPrimary(url)).split(':').at(-1));
}
