/** Opens what is read: a server, or a dump. */

import type { Config } from '../config/config.ts';
import type { Database, DatabaseOptions } from './database.ts';

type SourceConfig = Pick<
  Config,
  'dumpPath' | 'mongoUrl' | 'mongoDb' | 'mongoCollection' | 'retryLimitMs' | 'answerTimeoutMs'
>;

/** Opens what the config says is read. Loads only what that needs. @throws SourceError that says what to do */
export async function openDatabase(config: SourceConfig, options: DatabaseOptions = {}): Promise<Database> {
  const { dumpPath, mongoUrl, mongoDb, mongoCollection, retryLimitMs, answerTimeoutMs } = config;
  if (dumpPath !== undefined) {
    const { openDump } = await import('./dump/dump-database.ts');
    return await openDump({
      path: dumpPath,
      db: mongoDb,
      collection: mongoCollection,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }
  const { MongoDatabase } = await import('./mongo/mongo-database.ts');
  return await MongoDatabase.connect({
    url: mongoUrl.reveal(),
    db: mongoDb,
    retryLimitMs,
    answerTimeoutMs,
    ...options,
  });
}
