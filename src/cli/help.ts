/** What `--help` shows beside the options: examples. */

import { invoke } from '../config/invocation.ts';
import type { CommandName } from '../config/options.ts';

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
  seed: [[invoke('seed', '--amount-users-seed 1000000'), 'make a million users']],
  retry: [[invoke('retry'), 'load the dead letters of the table again']],
  servers: [[invoke('servers', 'psql'), 'look into the embedded PostgreSQL']],
};
