/** Private databases for a test on the servers that `npm test` started, or whose URLs were given. */

import { randomBytes } from 'node:crypto';
import { MongoClient, type Db } from 'mongodb';
import type pg from 'pg';
import { createClient } from './date-style.ts';
import { withMajority } from './mongo-url.ts';

export const mongoUrl = requireEnv('TEST_MONGO_URL');
export const postgresUrl = requireEnv('TEST_POSTGRES_URL');

/** A MongoDB database and a PostgreSQL database that no other test uses. */
export interface Sandbox {
  readonly db: Db;
  readonly mongoDb: string;
  readonly client: pg.Client;
  /** The URL of the PostgreSQL database. */
  readonly postgresUrl: string;
  /** The environment of the command for these databases. */
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** A database with the collation en_US, as most databases have. */
export const ofEnglish = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'";

/** @param options of CREATE DATABASE */
export async function createSandbox(options = ''): Promise<Sandbox> {
  const name = `mongo2pg_test_${randomBytes(6).toString('hex')}`;
  const mongo = await MongoClient.connect(withMajority(mongoUrl));
  const admin = await connect(postgresUrl);
  await admin.query(`CREATE DATABASE ${name} ${options}`);
  const url = new URL(postgresUrl);
  url.pathname = name;
  const client = await connect(url.href);
  const db = mongo.db(name);
  return {
    db,
    mongoDb: name,
    client,
    postgresUrl: url.href,
    env: { MONGO_URL: mongoUrl, MONGO_DB: name, POSTGRES_URL: url.href },
    remove: async () => {
      await db.dropDatabase();
      await mongo.close();
      await client.end();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

async function connect(url: string): Promise<pg.Client> {
  const client = createClient(url);
  await client.connect();
  return client;
}

function requireEnv(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests with \`npm test\``);
  return value;
}
