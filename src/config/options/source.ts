/** Settings of the group *Source*: what is read. */

import { allThatWork, startAndPlan, allWithWorkers, allThatRead } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const sourceOptions = {
  mongoUrl: {
    env: 'MONGO_URL',
    kind: 'mongo-url',
    default: '',
    describe: 'Source: mongodb://… or mongodb+srv://…; `embedded` starts the built-in trial server.',
    commands: allThatRead,
    group: 'Source',
  },
  source: {
    env: 'SOURCE',
    kind: 'path',
    default: '',
    describe:
      'Dump to read instead of MONGO_URL: a .bson file, a mongodump folder or archive, or mongoexport JSON; gzip is allowed.',
    commands: ['start', 'join', 'plan', 'verify', 'retry', 'doctor'],
    group: 'Source',
  },
  mongoDb: {
    env: 'MONGO_DB',
    kind: 'text',
    default: 'school',
    describe: 'Source database. If not set: the one in MONGO_URL or in the dump, then the default.',
    commands: allThatRead,
    group: 'Source',
  },
  mongoCollection: {
    env: 'MONGO_COLLECTION',
    kind: 'text',
    default: 'users',
    describe:
      'Source collection; the table gets its name. Names and patterns copy several: `users,courses`, `log_*`, `*` for all (the default for a dump).',
    commands: ['start', 'join', 'plan', 'verify', 'seed', 'retry', 'cutover', 'repair', 'doctor'],
    group: 'Source',
  },
  excludeCollections: {
    env: 'EXCLUDE_COLLECTIONS',
    kind: 'text',
    default: '',
    describe: 'Names and patterns of collections to skip when several are copied.',
    commands: allWithWorkers,
    group: 'Source',
  },
  readRanges: {
    env: 'READ_RANGES',
    kind: 'count',
    range: [1, 64],
    default: '4',
    describe:
      'Maximum _id ranges to read in parallel; each holds a page of up to 16 MB in memory. Small collections use fewer.',
    commands: allThatWork,
    group: 'Source',
  },
  filter: {
    env: 'FILTER',
    kind: 'filter',
    default: '',
    describe: 'MongoDB filter in Extended JSON; only matching documents are copied (default: all).',
    commands: startAndPlan,
    group: 'Source',
  },
} as const satisfies OptionsOf<'Source'>;
