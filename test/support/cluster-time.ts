/** The time of a replica set, taken on: a set takes over a later time that a client has heard of from another one. */

import { Binary, Long, Timestamp, type MongoClient } from 'mongodb';

/** What a set without keys signs times with. */
const unsigned = { hash: new Binary(Buffer.alloc(20)), keyId: Long.ZERO };

/** Whatever is written from now on is written so much later. */
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
