/** The installed real mongod, and the server that tests run on. */

import { execFileSync } from 'node:child_process';
import { MongoClient, type ObjectId } from 'mongodb';

export interface Mongod {
  readonly program: string;
  /** As it reports it, such as 8.0.4. */
  readonly version: string;
}

/** That of TEST_MONGOD, else the one of the PATH; null when there is none. */
export function findMongod(): Mongod | null {
  const program = process.env.TEST_MONGOD ?? 'mongod';
  try {
    const output = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const version = /db version v([\d.]+)/.exec(output)?.[1];
    return version === undefined ? null : { program, version };
  } catch {
    return null;
  }
}

/** For `skip`: false when there is one. */
export function lacksMongod(): string | false {
  return findMongod() === null && 'there is no mongod on the PATH, and TEST_MONGOD names none';
}

export interface MongoIdentity {
  readonly version: string;
  /** Its members in a replica set; 0 when it is in none. */
  readonly members: number;
  /** Raised by each election; 0 without a replica set. */
  readonly term: number;
}

export async function identifyMongo(url: string): Promise<MongoIdentity> {
  const client = await MongoClient.connect(url);
  try {
    const admin = client.db('admin');
    const { version } = (await admin.command({ buildInfo: 1 })) as { version: string };
    const { hosts = [], electionId } = (await admin.command({ hello: 1 })) as {
      hosts?: string[];
      electionId?: ObjectId;
    };
    if (hosts.length === 0) return { version, members: 0, term: 0 };
    // Its last eight bytes count the elections, and every server has it.
    const term = electionId === undefined ? 0 : Number(`0x${electionId.toHexString().slice(8)}`);
    return { version, members: hosts.length, term };
  } finally {
    await client.close();
  }
}
