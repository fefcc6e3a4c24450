/** Reads facts about a MongoDB server, for people. */

import type { BSON, MongoClient } from 'mongodb';
import { measureRoundTrip } from '../../../common/round-trip.ts';
import { AnswerWatch } from '../answer-watch.ts';
import { isTransientMongoError } from '../mongo-errors.ts';
import type { History, ServerFacts, Topology } from '../../server-facts.ts';

/** @throws the driver's errors */
export async function readServerFacts(client: MongoClient): Promise<ServerFacts> {
  const ask = (command: BSON.Document, db = 'admin'): Promise<BSON.Document> =>
    AnswerWatch.of(client).guard((options) =>
      client.db(db).command(command, { ...options, readPreference: client.readPreference }),
    );
  const { ferretdbVersion, version } = await ask({ buildInfo: 1 });
  const { roundTripMs, answer: hello } = await measureRoundTrip(() => ask({ hello: 1 }));
  const topology = topologyOf(hello);
  return {
    product:
      ferretdbVersion === undefined ? `MongoDB ${String(version)}` : `FerretDB ${String(ferretdbVersion)}`,
    topology,
    hostCount: Array.isArray(hello.hosts) ? hello.hosts.length : null,
    roundTripMs,
    history: topology === 'replica set' ? await readHistory(ask) : null,
  };
}

function topologyOf({ setName, msg }: BSON.Document): Topology {
  if (msg === 'isdbgrid') return 'sharded cluster';
  return typeof setName === 'string' ? 'replica set' : 'standalone server';
}

/** Null if the user has no right to see it, or the server does not report it. */
async function readHistory(
  ask: (command: BSON.Document, db: string) => Promise<BSON.Document>,
): Promise<History | null> {
  try {
    const { size, maxSize } = await ask({ collStats: 'oplog.rs' }, 'local');
    const [bytes, maxBytes] = [Number(size), Number(maxSize)];
    return Number.isFinite(bytes) && maxBytes > 0 ? { bytes, maxBytes } : null;
  } catch (error) {
    if (isTransientMongoError(error)) throw error;
    return null;
  }
}
