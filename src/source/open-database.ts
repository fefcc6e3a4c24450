/** Opens the source database: on a server, or in a dump. */

import type { Config } from '../config/config.ts';
import type { Database, DatabaseOptions } from './database.ts';

export type SourceConfig = Pick<
  Config,
  'source' | 'mongoUrl' | 'mongoDb' | 'mongoCollection' | 'retrySeconds' | 'answerTimeoutSeconds'
>;

/** Opens the source that the config names, and loads only the code for it. @throws SourceError that says what to do */
export async function openDatabase(config: SourceConfig, options: DatabaseOptions = {}): Promise<Database> {
  const { source: dump, mongoUrl, mongoDb, mongoCollection, retrySeconds, answerTimeoutSeconds } = config;
  if (dump !== undefined) {
    const { openDump } = await import('./dump/dump-database.ts');
    return await openDump({
      path: dump,
      db: mongoDb,
      collection: mongoCollection,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }
  const { MongoDatabase } = await import('./mongo/mongo-database.ts');
  return await MongoDatabase.connect({
    url: mongoUrl.reveal(),
    db: mongoDb,
    retryLimitMs: retrySeconds * 1000,
    answerTimeoutMs: answerTimeoutSeconds * 1000,
    ...options,
  });
}
