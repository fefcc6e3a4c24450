/** Reads the indexes of a collection. */

import { MongoServerError, type Db } from 'mongodb';
import { AnswerWatch } from './answer-watch.ts';
import { readBatch } from './documents.ts';
import { readIndexSpec, type IndexSpec } from '../index-spec.ts';
import { listDocuments } from '../../bson/cursor.ts';

/** A collection can have 64 indexes, so one reply has them all. */
const batchSize = 1000;

const commandNotSupportedOnView = 166;

/** All indexes of the collection, including that on `_id`; none for a view. */
export async function readIndexes(db: Db, collection: string): Promise<IndexSpec[]> {
  try {
    // Without the URL's read concern, which this command does not accept.
    const { readPreference } = db;
    const command = { listIndexes: collection, cursor: { batchSize } };
    const reply = await AnswerWatch.of(db.client).guard((options) =>
      db.command(command, { ...options, raw: true, readPreference }),
    );
    return listDocuments(readBatch(reply.cursor as Uint8Array)).map(readIndexSpec);
  } catch (error) {
    if (error instanceof MongoServerError && error.code === commandNotSupportedOnView) return [];
    throw error;
  }
}
