/** Settings of the group *Trial servers*: the built-in servers and their sample data. */

import { sampleSets, sampleSizes } from '../sample-sets.ts';
import { allCommands, allThatRead } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const trialServersOptions = {
  amountUsersSeed: {
    env: 'AMOUNT_USERS_SEED',
    kind: 'count',
    range: [1, 1_000_000_000],
    default: '100000',
    describe: 'Number of users that `seed`, or a first start on the embedded source, inserts.',
    commands: allThatRead,
    group: 'Trial servers',
  },
  seedSet: {
    env: 'SEED_SET',
    flag: 'set',
    kind: 'choice',
    choices: sampleSets,
    default: 'users',
    describe:
      'What `seed` inserts: users, or a sample set with nested documents and arrays, into a collection of the same name.',
    commands: ['seed'],
    group: 'Trial servers',
  },
  seedAmount: {
    env: 'SEED_AMOUNT',
    flag: 'amount',
    kind: 'count',
    range: [1, 1_000_000_000],
    default: '',
    describe: `Documents of a sample set (default: ${Object.entries(sampleSizes)
      .map(([set, size]) => `${set} ${size}`)
      .join(', ')}).`,
    commands: ['seed'],
    group: 'Trial servers',
  },
  live: {
    env: 'LIVE',
    kind: 'count',
    range: [1, 604_800],
    default: '',
    describe:
      'Seconds for which `seed` inserts, updates and deletes users, instead of filling the collection.',
    commands: ['seed'],
    group: 'Trial servers',
  },
  rate: {
    env: 'RATE',
    kind: 'count',
    range: [1, 100_000],
    default: '100',
    describe:
      'Changes per second that `seed` makes with LIVE: of ten, two inserts, six updates and two deletions.',
    commands: ['seed'],
    group: 'Trial servers',
  },
  dataDir: {
    env: 'DATA_DIR',
    kind: 'path',
    default: '.data',
    describe: 'Folder for the data of the embedded servers.',
    commands: allCommands,
    group: 'Trial servers',
  },
} as const satisfies OptionsOf<'Trial servers'>;
