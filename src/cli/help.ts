/** What `--help` shows beside the options: examples. */

import { invoke } from '../config/invocation.ts';
import type { CommandName } from '../config/options.ts';

/** By command: command line and what it does. */
export const examples: Readonly<Record<CommandName, readonly (readonly [line: string, what: string])[]>> = {
  start: [
    [
      invoke('start', '--mongo-collection users'),
      'copy one collection; the URLs come from .env or the environment',
    ],
    [
      invoke('start', "--mongo-collection 'log_*,users' --verify"),
      'copy several collections and verify them',
    ],
    [invoke('start', '--follow'), 'copy, and keep the table in step until cutover'],
    [invoke('start', '--dry-run'), 'inspect both sides without writing to either'],
    [invoke('start', '--plan plan.json --if-exists append'), 'load into an existing table with a plan'],
    [invoke('start', `--filter '{"age":{"$gte":18}}'`), 'copy the documents that match a filter'],
    [invoke('start', '--source dump/school'), 'copy a mongodump folder, without a MongoDB server'],
  ],
  plan: [
    [invoke('plan', '--out plan.json'), 'infer a plan and write it to a file'],
    [invoke('plan', '--schema document'), 'show the plan that stores whole documents'],
  ],
  verify: [
    [invoke('verify'), 'compare every document with its row'],
    [invoke('verify', '--sample 1%'), 'compare one percent, count everything'],
  ],
  status: [[invoke('status', '--watch'), 'watch a run of another process']],
  seed: [
    [invoke('seed', '--amount-users-seed 1000000'), 'insert a million users'],
    [invoke('seed', '--live 60 --rate 500'), 'change users for a minute, for something to follow'],
  ],
  retry: [[invoke('retry'), 'load the dead letters of the table again']],
  cutover: [
    [invoke('cutover', '--check'), 'report whether cutover is possible'],
    [invoke('cutover'), 'once writes have stopped: wait for the last change, compare, stop following'],
  ],
  repair: [[invoke('repair'), 'take a new start, and copy what differs']],
  servers: [[invoke('servers', 'psql'), 'open psql on the embedded PostgreSQL']],
};
