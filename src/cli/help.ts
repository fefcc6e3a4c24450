/** The examples that `--help` shows. */

import { invoke } from '../config/invocation.ts';
import type { CommandName } from '../config/options/option.ts';

/** By command: command line and what it does. */
export const examples: Readonly<Record<CommandName, readonly (readonly [line: string, what: string])[]>> = {
  start: [
    [
      invoke('start', '--mongo-collection users'),
      'copy one collection; the URLs are in .env or the environment',
    ],
    [
      invoke('start', "--mongo-collection 'log_*,users' --verify"),
      'copy several collections and verify them',
    ],
    [invoke('start', '--follow'), 'copy, and keep the table in step until cutover'],
    [invoke('start', '--hosts'), 'copy, and let other machines take part with the command join'],
    [invoke('start', '--dry-run'), 'inspect both sides without writing to either'],
    [invoke('start', '--plan plan.json --if-exists append'), 'load into an existing table with a plan'],
    [invoke('start', `--filter '{"age":{"$gte":18}}'`), 'copy the documents that match a filter'],
    [invoke('start', '--source dump/school'), 'copy a mongodump folder, without a MongoDB server'],
  ],
  join: [
    [invoke('join'), 'take part in what another host copies or verifies; the settings are those of its .env'],
  ],
  plan: [
    [invoke('plan', '--out plan.json'), 'infer a plan and write it to a file'],
    [invoke('plan', '--schema document'), 'show the plan that stores whole documents'],
  ],
  verify: [
    [invoke('verify'), 'compare every document with its row'],
    [invoke('verify', '--sample 1%'), 'compare one percent, count everything'],
    [invoke('verify', '--hosts'), 'compare, and let other machines take part with the command join'],
  ],
  status: [[invoke('status', '--watch'), 'watch a run of another process']],
  seed: [
    [invoke('seed', '--amount-users-seed 1000000'), 'insert a million users'],
    [invoke('seed', '--set sales --amount 1000'), 'insert a sample set with nested documents and arrays'],
    [
      invoke('seed', '--live 60 --rate 500'),
      'change users for a minute, so that there are changes to follow',
    ],
  ],
  retry: [[invoke('retry'), 'load the dead letters of the table again']],
  cutover: [
    [invoke('cutover', '--check'), 'report whether cutover is possible'],
    [invoke('cutover'), 'once writes have stopped: wait for the last change, compare, stop following'],
  ],
  repair: [[invoke('repair'), 'restart following, and copy only what differs']],
  doctor: [
    [invoke('doctor'), 'check both sides before a migration, and say what to change'],
    [invoke('doctor', "--mongo-collection '*'"), 'the same for all collections of the database'],
  ],
  tune: [
    [invoke('tune', '--max-rate 5000'), 'limit the running commands to 5,000 documents a second each'],
    [invoke('tune', '--max-rate none --load-level medium'), 'remove the limit, but spare the source'],
    [invoke('tune'), 'show the limits of the running commands'],
  ],
  promote: [
    [invoke('promote', 'users nickname'), 'move the field from _extra to a column of its name'],
    [invoke('promote', 'users age --type int32'), 'with a given type; values that do not fit stay in _extra'],
  ],
  servers: [[invoke('servers', 'psql'), 'open psql on the embedded PostgreSQL']],
};
