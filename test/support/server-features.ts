/**
 * Features that tests need and not every server has. `npm test` checks the servers once, and a test that needs a missing
 * feature is skipped with that reason: `it('…', { skip: lacking('failCommand') }, …)`.
 */

import { Decimal128, MongoClient, MongoServerError, type Db } from 'mongodb';
import pg from 'pg';

const mongoFeatures = {
  failCommand: {
    what: 'the command configureFailPoint',
    isThere: (db: Db) =>
      hasCommand(db.admin().command({ configureFailPoint: 'failCommand', mode: 'off', data: {} })),
  },
  sample: {
    what: 'the stage $sample',
    isThere: (db: Db) =>
      hasCommand(db.command({ aggregate: 'probe', pipeline: [{ $sample: { size: 1 } }], cursor: {} })),
  },
  // It represents more: a server without Decimal128 lacks NaN, MinKey and JavaScript as well.
  allTypes: {
    what: 'all types of BSON',
    isThere: (db: Db) =>
      hasCommand(
        db.collection('probe').insertOne({ value: Decimal128.fromString('1') }),
        'a lost connection',
      ),
  },
  anyName: {
    what: 'fields with names such as $x and a.b',
    isThere: (db: Db) => hasCommand(db.collection('probe').insertOne({ $x: 1, 'a.b': 2 })),
  },
  validators: {
    what: 'validators of collections',
    isThere: (db: Db) => hasCommand(db.createCollection('validated', { validator: { $jsonSchema: {} } })),
  },
  uncheckedUnique: {
    what: 'unique indexes over documents that are not unique (which no MongoDB builds)',
    isThere: async (db: Db) => {
      await db.collection('twice').insertMany([{ a: 1 }, { a: 1 }]);
      const indexes = [{ key: { a: 1 }, name: 'a', unique: true }];
      return await hasCommand(db.command({ createIndexes: 'twice', indexes }));
    },
  },
  timeSeries: {
    what: 'collections of time series',
    isThere: (db: Db) => hasCommand(db.createCollection('series', { timeseries: { timeField: 'at' } })),
  },
} as const;

const postgresFeatures = {
  transactionTimeout: {
    what: 'the setting transaction_timeout',
    isThere: async (client: pg.Client) =>
      (await client.query("SELECT FROM pg_settings WHERE name = 'transaction_timeout'")).rowCount === 1,
  },
} as const;

export type Feature = keyof typeof mongoFeatures | keyof typeof postgresFeatures;

const variable = 'TEST_LACKING';

/** For `skip`: false if the servers have all of them. */
export function lacking(...features: readonly Feature[]): string | false {
  const missing = new Set((process.env[variable] ?? '').split(','));
  const reasons = features.filter((feature) => missing.has(feature)).map(describe);
  return reasons.length > 0 && `the server lacks ${reasons.join(' and ')}`;
}

/** For the environment of the tests. */
export function lackingEnv(features: readonly Feature[]): Record<string, string> {
  return { [variable]: features.join(',') };
}

export function describe(feature: Feature): string {
  return { ...mongoFeatures, ...postgresFeatures }[feature].what;
}

export async function findLacking(mongoUrl: string, postgresUrl: string): Promise<Feature[]> {
  return [...(await findLackingOfMongo(mongoUrl)), ...(await findLackingOfPostgres(postgresUrl))];
}

async function findLackingOfMongo(url: string): Promise<Feature[]> {
  const client = await MongoClient.connect(url);
  const db = client.db('mongo2pg_test_probe');
  try {
    const lacks: Feature[] = [];
    for (const [feature, { isThere }] of Object.entries(mongoFeatures)) {
      if (!(await isThere(db))) lacks.push(feature as Feature);
    }
    return lacks;
  } finally {
    await db.dropDatabase();
    await client.close();
  }
}

async function findLackingOfPostgres(url: string): Promise<Feature[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const lacks: Feature[] = [];
    for (const [feature, { isThere }] of Object.entries(postgresFeatures)) {
      if (!(await isThere(client))) lacks.push(feature as Feature);
    }
    return lacks;
  } finally {
    await client.end();
  }
}

/** False when the server refuses it. @param orLost a server may even close the connection over it */
async function hasCommand(command: Promise<unknown>, orLost?: 'a lost connection'): Promise<boolean> {
  try {
    await command;
    return true;
  } catch (error) {
    if (error instanceof MongoServerError || orLost !== undefined) return false;
    throw error;
  }
}
