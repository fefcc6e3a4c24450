/** Settings of the group *Hosts*: several machines that copy or verify together. */

import { joinOnly } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const hostsOptions = {
  hosts: {
    env: 'HOSTS',
    kind: 'switch',
    default: '',
    describe: 'Let other hosts take part, with the command `join` and the same settings.',
    commands: ['start', 'verify'],
    group: 'Hosts',
  },
  keepJoining: {
    env: 'KEEP_JOINING',
    flag: 'keep-joining',
    kind: 'switch',
    default: '',
    describe:
      'Wait without limit for a migration or a verification to join, and for the next one after each.',
    commands: joinOnly,
    group: 'Hosts',
  },
  rangeMb: {
    env: 'RANGE_MB',
    kind: 'count',
    range: [1, 65_536],
    default: '256',
    describe: 'With HOSTS, about how many megabytes of a collection a host takes at a time.',
    commands: ['start', 'join', 'verify'],
    group: 'Hosts',
  },
} as const satisfies OptionsOf<'Hosts'>;
