/** Settings of the group *Target*: where rows go, and what to do with existing tables. */

import {
  allOnPostgres,
  startOnly,
  startAndJoin,
  startAndSeed,
  startAndCutover,
  startJoinAndDoctor,
} from './commands.ts';
import type { OptionsOf } from './option.ts';

const ifExistsChoices = ['fail', 'drop', 'truncate', 'append'] as const;
const indexChoices = ['carry', 'none'] as const;

export const targetOptions = {
  postgresUrl: {
    env: 'POSTGRES_URL',
    kind: 'postgres-url',
    default: '',
    describe: 'Target: postgres://…; `embedded` starts the built-in trial server.',
    commands: allOnPostgres,
    group: 'Target',
  },
  postgresSchema: {
    env: 'POSTGRES_SCHEMA',
    kind: 'schema',
    default: 'public',
    describe: 'Target schema; created if it does not exist.',
    commands: ['start', 'join', 'plan', 'verify', 'retry', 'cutover', 'repair', 'doctor', 'promote'],
    group: 'Target',
  },
  ifExists: {
    env: 'IF_EXISTS',
    kind: 'choice',
    choices: ifExistsChoices,
    default: '',
    // Not `default`, because it depends: `seed` replaces the users of an earlier one on the trial server.
    shown: 'fail',
    describe:
      'What to do with existing data (in the table; for `seed`, in the collection): fail, drop, truncate or append.',
    commands: startAndSeed,
    group: 'Target',
  },
  restart: {
    env: 'RESTART',
    kind: 'switch',
    default: '',
    describe: 'Start from scratch: discard the rows of an earlier run of the same table, finished or not.',
    commands: startOnly,
    group: 'Target',
  },
  restartOnly: {
    env: 'RESTART_ONLY',
    kind: 'text',
    default: '',
    describe:
      'Names and patterns of collections to start from scratch, of several that are copied or followed.',
    commands: startOnly,
    group: 'Target',
  },
  partitions: {
    env: 'PARTITIONS',
    kind: 'count',
    range: [2, 256],
    default: '',
    describe:
      'Make new tables in so many partitions by the hash of _id; their keys and indexes are built side by side, see INDEX_JOBS.',
    commands: startAndJoin,
    group: 'Target',
  },
  beforeSql: {
    env: 'BEFORE_SQL',
    kind: 'path',
    default: '',
    describe:
      'SQL file to run once in PostgreSQL before the copy, such as one that creates partitioned tables.',
    commands: startAndJoin,
    group: 'Target',
  },
  afterSql: {
    env: 'AFTER_SQL',
    kind: 'path',
    default: '',
    describe: 'SQL file to run once in PostgreSQL after the copy or the cutover, such as grants and views.',
    commands: startAndJoin,
    group: 'Target',
  },
  distribute: {
    env: 'DISTRIBUTE',
    kind: 'switch',
    default: '',
    describe:
      'On Citus: distribute the tables that are made by _id, each child table with the documents of its rows.',
    commands: startAndJoin,
    group: 'Target',
  },
  citusNodeUrl: {
    env: 'CITUS_NODE_URL',
    kind: 'other-postgres-url',
    default: '',
    describe:
      'On Citus: a worker node, postgres://…, through which the rows are loaded. Each host may have another.',
    commands: startJoinAndDoctor,
    group: 'Target',
  },
  indexes: {
    env: 'INDEXES',
    kind: 'choice',
    choices: indexChoices,
    default: 'carry',
    describe:
      "Indexes after the load: carry creates equivalents of the collection's indexes, none skips them.",
    commands: startAndCutover,
    group: 'Target',
  },
  indexJobs: {
    env: 'INDEX_JOBS',
    kind: 'count',
    range: [1, 64],
    default: '2',
    describe:
      'Number of indexes to build in parallel; each uses one connection and 256 MB of PostgreSQL memory.',
    commands: startAndCutover,
    group: 'Target',
  },
} as const satisfies OptionsOf<'Target'>;
