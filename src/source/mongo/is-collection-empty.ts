/** Checks whether there is anything to copy. */

import { connectMongo } from './client.ts';
import { explainMongoError } from './mongo-errors.ts';

/** True also if there is no such collection. */
export async function isCollectionEmpty(where: {
  readonly url: string;
  readonly db: string;
  readonly collection: string;
}): Promise<boolean> {
  const client = await connectMongo(where.url);
  try {
    return (await client.db(where.db).collection(where.collection).findOne({})) === null;
  } catch (error) {
    throw explainMongoError(error, where.url);
  } finally {
    await client.close();
  }
}
