/** The pairs of servers that the tests are run on besides the embedded ones, and the expected features of each. */

import { lacksDebianPostgres, startDebianPostgres } from '../../test/support/debian-postgres.ts';
import type { RunningServer } from '../../test/support/child-server.ts';
import { ferretVersion, lacksFerretDb, startFerretDb } from '../../test/support/ferretdb.ts';
import { findMongod, identifyMongo, lacksMongod } from '../../test/support/mongod.ts';
import { privateMongodVariable } from '../../test/support/private-servers.ts';
import { startReplicaSet } from '../../test/support/replica-set.ts';
import type { Feature } from '../../test/support/server-features.ts';

export interface Lineup {
  /** The server that is not embedded; the other one is. */
  readonly name: string;
  readonly side: 'source' | 'target';
  /** Why it is not available here; false if it is. */
  missing(): Promise<string | false> | string | false;
  start(): Promise<RunningServer>;
  /** Words of the test files' paths: those that use the server. */
  readonly files: readonly string[];
  /** Whether the primary of the set steps down in each run of the command; one test file at a time then. */
  readonly stepsDown?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it is MongoDB, and not another server with its protocol. */
  readonly isMongod?: boolean;
  /** Each feature that it lacks, with the reason. In CI another one fails the run. */
  readonly lacks: Partial<Readonly<Record<Feature, string>>>;
}

const everySource = [
  ...['copy/migrate-users', 'copy/types', 'copy/several-collections', 'copy/hostile-data'],
  ...['source/filter.test', 'source/cursor-reading', 'plan/plan-command'],
];

const everyTarget = [
  ...['copy/migrate-users', 'copy/types', 'copy/dead-letters', 'copy/indexes'],
  ...['postgres/session-settings', 'postgres/ranges', 'follow/changes', 'fault/worker-killed-in-each-window'],
];

/** Additional tests on a real MongoDB: those of the embedded server, following, and all faults. */
const mongodOnly = [
  ...[
    'trial-servers/test/integration/mongo.test',
    'trial-servers/test/integration/collation',
    'source/no-sample',
    'source/source-ranges',
  ],
  ...['source/collation', 'source/positions', 'source/source-identity'],
  ...['plan/column-changes', 'copy/transforms', 'integration/promote'],
  // Tables of their own for what is inside of documents.
  ...['copy/relational', 'copy/child-tables', 'copy/nested-tables', 'copy/hostile-shapes'],
  ...[
    'integration/verify',
    'copy/indexes',
    'source/dumps',
    'source/real-dumps',
    'integration/follow',
    'fault/',
  ],
];

/** Tests for a set of one member, in which no other one takes over. */
const onOneNode = ['copy/migrate-users', 'integration/follow', 'fault/follow', 'fault/mongodb-unavailable'];

const postgresVersion = 15;
const noDuplicates = 'what is unique is unique there';
/** Features that MongoDB 4.4 lacks. */
const sinceMongo5 = {
  anyName: 'names with $ in front came with MongoDB 5.0',
  timeSeries: 'came with MongoDB 5.0',
} as const;

export const lineups: readonly Lineup[] = [
  {
    name: `FerretDB ${ferretVersion} (SQLite)`,
    side: 'source',
    missing: lacksFerretDb,
    start: startFerretDb,
    files: [...everySource, 'source/ferretdb'],
    // 100,000 take it minutes.
    env: { TEST_USERS: '5000' },
    lacks: {
      failCommand: 'fail points are for tests of MongoDB',
      sample: 'not one of its aggregation stages',
      allTypes:
        'it closes the connection over NaN, Decimal128, JavaScript, MinKey, MaxKey, and the deprecated types',
      anyName: 'it refuses names that begin with $ or have a dot in them',
      validators: 'not implemented',
      timeSeries: 'not implemented',
      uncheckedUnique: noDuplicates,
    },
  },
  {
    name: `PostgreSQL ${postgresVersion} (Debian)`,
    side: 'target',
    missing: () => lacksDebianPostgres(postgresVersion),
    start: () => startDebianPostgres(postgresVersion),
    files: everyTarget,
    lacks: { transactionTimeout: 'came with PostgreSQL 17' },
  },
  ...listMongod(),
];

/** The MongoDB of TEST_MONGO_URL, else replica sets of an installed mongod. */
function listMongod(): Lineup[] {
  const given = process.env.TEST_MONGO_URL;
  const server = given === undefined ? startedMongod(3) : givenMongod(given);
  return [
    { ...server, files: [...everySource, ...mongodOnly] },
    ...(given === undefined ? [{ ...startedMongod(1), files: onOneNode }] : []),
    {
      ...server,
      name: `${server.name}, its primary stepping down in each run`,
      missing: async () =>
        (await server.missing()) || (given === undefined ? false : await lacksMembers(given)),
      files: [...everySource, 'follow/changes', 'follow/cutover'],
      stepsDown: true,
    },
  ];
}

function startedMongod(members: number): Omit<Lineup, 'files'> {
  const mongod = findMongod();
  const majorVersion = Number.parseInt(mongod?.version ?? '', 10);
  return {
    name: `MongoDB ${mongod?.version ?? ''} as a replica set of ${members}`.replace('  ', ' '),
    side: 'source',
    isMongod: true,
    missing: lacksMongod,
    start: () => {
      if (mongod === null) throw new Error('there is no mongod');
      return startReplicaSet(mongod, members);
    },
    // A server that a test kills and restarts is one too.
    env: { [privateMongodVariable]: mongod?.program ?? '' },
    lacks: { uncheckedUnique: noDuplicates, ...(majorVersion < 5 ? sinceMongo5 : {}) },
  };
}

function givenMongod(url: string): Omit<Lineup, 'files'> {
  return {
    name: 'MongoDB of TEST_MONGO_URL',
    side: 'source',
    isMongod: true,
    missing: () => false,
    start: () => Promise.resolve({ url, stop: () => Promise.resolve() }),
    lacks: {
      failCommand: 'mongod has fail points only with enableTestCommands=1',
      uncheckedUnique: noDuplicates,
      ...sinceMongo5,
    },
  };
}

async function lacksMembers(url: string): Promise<string | false> {
  const { members } = await identifyMongo(url);
  return members < 2 && 'it is no replica set of several';
}
