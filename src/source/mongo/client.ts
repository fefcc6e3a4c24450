/** Connects to MongoDB by the driver, with this tool's defaults. */

import { MongoClient, type MongoClientOptions } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';
import { AnswerWatch } from './answer-watch.ts';
import { explainMongoError, explainOptionsError } from './mongo-errors.ts';
import { decodeErrors, eventOptions } from './raw-errors.ts';

/** The driver's default is 30 s; users would interrupt a command that shows nothing for so long. */
const serverSelectionTimeoutMs = 10_000;

/** The URL takes precedence over these. */
const defaults = { appName: 'mongo2pg', serverSelectionTimeoutMS: serverSelectionTimeoutMs };

/**
 * Connects, with an AnswerWatch for the client.
 * @param settings of the driver; the URL takes precedence over them
 * @throws UsageError if the URL is wrong, otherwise SourceError
 */
export async function connectMongo(url: string, settings: MongoClientOptions = {}): Promise<MongoClient> {
  try {
    const named = new ConnectionString(url).typedSearchParams<MongoClientOptions>();
    const unnamed = Object.entries({ ...defaults, ...settings }).filter(
      ([name]) => !named.has(name as keyof MongoClientOptions),
    );
    const client = createClient(url, { ...Object.fromEntries(unnamed), ...eventOptions });
    decodeErrors(client);
    AnswerWatch.of(client);
    return await client.connect();
  } catch (error) {
    throw explainMongoError(error, url);
  }
}

/** It does not connect yet, so any error is about the URL. @throws UsageError */
function createClient(url: string, settings: MongoClientOptions): MongoClient {
  try {
    return new MongoClient(url, settings);
  } catch (error) {
    throw explainOptionsError(error);
  }
}
