/** Advances the time of a replica set: a set adopts a later time that a client has received from another one. */

import { Binary, Long, Timestamp, type MongoClient } from 'mongodb';

/** The signature of times in a set without keys. */
const unsigned = { hash: new Binary(Buffer.alloc(20)), keyId: Long.ZERO };

/** Later writes have a time that is advanced by so much. */
export async function passTime(client: MongoClient, seconds: number): Promise<void> {
  const admin = client.db('admin');
  const { operationTime } = (await admin.command({ ping: 1 })) as { operationTime: Timestamp };
  const session = client.startSession();
  session.advanceClusterTime({
    clusterTime: new Timestamp({ t: operationTime.t + seconds, i: 1 }),
    signature: unsigned,
  });
  await admin.command({ ping: 1 }, { session });
  await session.endSession();
}
