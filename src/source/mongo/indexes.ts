/** Reads which indexes a collection has. */

import { MongoServerError, type Db } from 'mongodb';
import { AnswerWatch } from './answer-watch.ts';
import { readBatch } from './documents.ts';
import { readIndexSpec, type IndexSpec } from '../index-spec.ts';
import { listDocuments } from '../../bson/cursor.ts';

/** More than the 64 that a collection can have, so that one reply has them all. */
const batchSize = 1000;

const commandNotSupportedOnView = 166;

/** All indexes of the collection, the one of `_id` among them; none of a view. */
export async function readIndexes(db: Db, collection: string): Promise<IndexSpec[]> {
  try {
    // Without the URL's read concern, which this command does not take.
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
