/** What a server is that speaks MongoDB's protocol, as far as the way of reading depends on it. */

import { Timestamp, type MongoClient } from 'mongodb';
import { AnswerWatch } from './answer-watch.ts';
import { isTransientMongoError } from './mongo-errors.ts';
import { fromTimestamp } from './read-guarantee.ts';
import type { ClusterTime } from '../cluster-time.ts';

export interface ServerTraits {
  /** Has no index to read a page by: each costs a pass over the whole collection. */
  readonly scansForPages: boolean;
  /** What a person should know about it; null for nothing. */
  readonly notice: string | null;
}

const ordinary: ServerTraits = { scansForPages: false, notice: null };

/**
 * One that does not tell counts as ordinary: what it is matters for speed alone.
 * @throws only what passes
 */
export async function readServerTraits(client: MongoClient): Promise<ServerTraits> {
  try {
    // A set without a primary is asked as its pages will be.
    const { readPreference } = client;
    const buildInfo = await AnswerWatch.of(client).guard((options) =>
      client.db('admin').command({ buildInfo: 1 }, { ...options, readPreference }),
    );
    return traitsOf(buildInfo);
  } catch (error) {
    if (isTransientMongoError(error)) throw error;
    return ordinary;
  }
}

/**
 * What a replica set, or a cluster of shards, has for its time now; null for a server that has none.
 * @throws only what passes
 */
export async function readSetTime(client: MongoClient): Promise<ClusterTime | null> {
  try {
    const { readPreference } = client;
    const hello = await AnswerWatch.of(client).guard((options) =>
      client.db('admin').command({ hello: 1 }, { ...options, readPreference }),
    );
    const isSet = typeof hello.setName === 'string' || hello.msg === 'isdbgrid';
    return isSet && hello.operationTime instanceof Timestamp ? fromTimestamp(hello.operationTime) : null;
  } catch (error) {
    if (isTransientMongoError(error)) throw error;
    return null;
  }
}

/** @param buildInfo the reply to that command */
export function traitsOf(buildInfo: object): ServerTraits {
  // FerretDB 1 names its version so. FerretDB 2 does not, and has an index on _id.
  if (!('ferretdbVersion' in buildInfo)) return ordinary;
  return {
    scansForPages: true,
    notice:
      `FerretDB ${String(buildInfo.ferretdbVersion)} would go over the whole collection for each page: ` +
      'it is read through one cursor, and the first page takes the longest',
  };
}
