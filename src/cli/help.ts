/** What `--help` shows beside the options: their groups, and examples. */

import { invoke } from '../config/invocation.ts';
import type { CommandName, OptionName } from '../config/options.ts';

export const optionGroups: Readonly<Record<OptionName, string>> = {
  mongoUrl: 'Source',
  source: 'Source',
  mongoDb: 'Source',
  mongoCollection: 'Source',
  excludeCollections: 'Source',
  filter: 'Source',
  readRanges: 'Source',
  postgresUrl: 'Target',
  postgresSchema: 'Target',
  ifExists: 'Target',
  restart: 'Target',
  indexes: 'Target',
  indexJobs: 'Target',
  plan: 'Plan',
  out: 'Plan',
  force: 'Plan',
  sampleSize: 'Plan',
  schema: 'Plan',
  objectId: 'Plan',
  requiredNotNull: 'Plan',
  jsonStyle: 'Plan',
  nul: 'Plan',
  clusterImplementation: 'Workers',
  clusterSizeMultiplier: 'Workers',
  clusterSize: 'Workers',
  itemsPerPage: 'Workers',
  maxInFlightMb: 'Workers',
  maxDeadLetters: 'Limits',
  retrySeconds: 'Limits',
  answerTimeoutSeconds: 'Limits',
  workerTimeoutSeconds: 'Limits',
  follow: 'Following',
  dryRun: 'Proof',
  verify: 'Proof',
  sample: 'Proof',
  json: 'Output',
  report: 'Output',
  metricsPort: 'Output',
  metricsHost: 'Output',
  watch: 'Output',
  all: 'Output',
  amountUsers: 'Output',
  amountUsersSeed: 'Trial servers',
  live: 'Trial servers',
  rate: 'Trial servers',
  dataDir: 'Trial servers',
};

/** By command: command line and what it does. */
export const examples: Readonly<Record<CommandName, readonly (readonly [line: string, what: string])[]>> = {
  start: [
    [
      invoke('start', '--mongo-collection users'),
      'copy one collection; the URLs are in .env or the environment',
    ],
    [
      invoke('start', "--mongo-collection 'log_*,users' --verify"),
      'copy several, and compare them with their tables',
    ],
    [invoke('start', '--follow'), 'copy, and keep the table in step until the cut-over'],
    [invoke('start', '--dry-run'), 'look at both sides, and write to neither'],
    [invoke('start', '--plan plan.json --if-exists append'), 'fill a table of your own by a plan'],
    [invoke('start', `--filter '{"age":{"$gte":18}}'`), 'copy a part'],
    [invoke('start', '--source dump/school'), 'copy what mongodump wrote, without a MongoDB'],
  ],
  plan: [
    [invoke('plan', '--out plan.json'), 'write the plan of a collection to a file, to read and to change'],
    [invoke('plan', '--schema document'), 'show the plan that keeps whole documents'],
  ],
  verify: [
    [invoke('verify'), 'compare every document with its row'],
    [invoke('verify', '--sample 1%'), 'compare one page of a hundred, and count all'],
  ],
  status: [[invoke('status', '--watch'), 'follow a run that goes on elsewhere']],
  seed: [
    [invoke('seed', '--amount-users-seed 1000000'), 'make a million users'],
    [invoke('seed', '--live 60 --rate 500'), 'change users for a minute, for something to follow'],
  ],
  retry: [[invoke('retry'), 'load the dead letters of the table again']],
  cutover: [
    [invoke('cutover', '--check'), 'say whether one could cut over, and change nothing'],
    [invoke('cutover'), 'after writes have stopped: wait for the last change, compare, and end following'],
  ],
  repair: [[invoke('repair'), 'take a new start, and copy what differs']],
  servers: [[invoke('servers', 'psql'), 'look into the embedded PostgreSQL']],
};
