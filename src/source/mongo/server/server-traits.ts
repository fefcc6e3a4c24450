/** The traits of a server on which the way of reading depends. */

import { Timestamp, type MongoClient } from 'mongodb';
import { AnswerWatch } from '../answer-watch.ts';
import { isTransientMongoError } from '../mongo-errors.ts';
import { fromTimestamp } from '../read-guarantee.ts';
import type { ClusterTime } from '../../cluster-time.ts';

export interface ServerTraits {
  /** It cannot use an index for a page, so each page costs a scan of the whole collection. */
  readonly scansForPages: boolean;
  /** Information for people; null if there is none. */
  readonly notice: string | null;
}

const ordinary: ServerTraits = { scansForPages: false, notice: null };

/**
 * A server that does not report its version counts as ordinary, because the traits matter only for speed.
 * @throws only transient errors
 */
export async function readServerTraits(client: MongoClient): Promise<ServerTraits> {
  try {
    // With the same read preference as pages, so that a set without a primary can be read.
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
 * The current cluster time of a replica set or a sharded cluster; null for a server without one.
 * @throws only transient errors
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
  // Only FerretDB 1 reports this field. FerretDB 2 can use an index on _id.
  if (!('ferretdbVersion' in buildInfo)) return ordinary;
  return {
    scansForPages: true,
    notice:
      `FerretDB ${String(buildInfo.ferretdbVersion)} would scan the whole collection for each page: ` +
      'it is read through one cursor, and the first page takes the longest',
  };
}
