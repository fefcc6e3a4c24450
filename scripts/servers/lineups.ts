/** The pairs of servers that the tests are run on besides the embedded ones, and what is expected of each. */

import { findMongodVersion, startMongod } from '../../test/support/mongod.ts';
import { lacksDebianPostgres, startDebianPostgres } from '../../test/support/debian-postgres.ts';
import type { RunningServer } from '../../test/support/child-server.ts';
import { ferretVersion, lacksFerretDb, startFerretDb } from '../../test/support/ferretdb.ts';
import type { Feature } from '../../test/support/server-features.ts';

export interface Lineup {
  /** The server that is not embedded; the other one is. */
  readonly name: string;
  readonly side: 'source' | 'target';
  /** Why it cannot be had here; false when it can. */
  readonly missing: string | false;
  start(): Promise<RunningServer>;
  /** Words of the test files' paths: those in which the server has a part, and no more than a minute takes. */
  readonly files: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Each feature that it lacks, with the reason. In CI one more fails the run. */
  readonly lacks: Partial<Readonly<Record<Feature, string>>>;
}

const everySource = [
  ...['integration/migrate-users', 'integration/types', 'integration/filter', 'integration/plan-command'],
  ...['integration/several-collections', 'integration/cursor-reading', 'integration/hostile-data'],
];

const everyTarget = [
  ...['integration/migrate-users', 'integration/types', 'integration/dead-letters'],
  ...['integration/indexes', 'integration/session-settings'],
  ...['integration/postgres/ranges', 'fault/worker-killed-in-each-window'],
];

const postgresVersion = 15;
const mongodVersion = findMongodVersion();
const givenMongo = process.env.TEST_MONGO_URL;

export const lineups: readonly Lineup[] = [
  {
    name: `FerretDB ${ferretVersion} (SQLite)`,
    side: 'source',
    missing: lacksFerretDb(),
    start: startFerretDb,
    files: [...everySource, 'integration/ferretdb'],
    // 100,000 take it minutes.
    env: { TEST_USERS: '5000' },
    lacks: {
      failCommand: 'fail points are for tests of MongoDB',
      sample: 'not one of its aggregation stages',
      allTypes:
        'it closes the connection over NaN, Decimal128, JavaScript, MinKey, MaxKey, and the deprecated types',
      anyName: 'it refuses names that begin with $ or have a dot in them',
      validators: 'not implemented',
    },
  },
  {
    name: `PostgreSQL ${postgresVersion} (Debian)`,
    side: 'target',
    missing: lacksDebianPostgres(postgresVersion),
    start: () => startDebianPostgres(postgresVersion),
    files: everyTarget,
    lacks: { transactionTimeout: 'came with PostgreSQL 17' },
  },
  givenMongo === undefined
    ? {
        name: `MongoDB ${mongodVersion ?? ''}`.trim(),
        side: 'source',
        missing: mongodVersion === null && 'there is no mongod on the PATH, and TEST_MONGO_URL is not set',
        start: startMongod,
        files: [...everySource, 'integration/no-sample', 'fault/mongodb-errors'],
        lacks: {},
      }
    : {
        name: 'MongoDB of TEST_MONGO_URL',
        side: 'source',
        missing: false,
        start: () => Promise.resolve({ url: givenMongo, stop: () => Promise.resolve() }),
        files: everySource,
        lacks: { failCommand: 'mongod has fail points only with enableTestCommands=1' },
      },
];
