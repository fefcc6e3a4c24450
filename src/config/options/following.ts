/** Settings of the group *Following*: following changes, and the cutover. */

import { startAndJoin, startOnly } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const followingOptions = {
  follow: {
    env: 'FOLLOW',
    kind: 'switch',
    default: '',
    describe: 'Keep the tables in step with the collections, during the copy and after it, until cutover.',
    commands: startAndJoin,
    group: 'Following',
  },
  check: {
    env: 'CHECK',
    kind: 'switch',
    default: '',
    describe: 'Report whether cutover is possible, without changing anything.',
    commands: ['cutover'],
    group: 'Following',
  },
  leaveOut: {
    env: 'LEAVE_OUT',
    kind: 'text',
    default: '',
    describe: 'Names and patterns of stopped collections to cut over without.',
    commands: ['cutover'],
    group: 'Following',
  },
  waitSeconds: {
    env: 'WAIT_SECONDS',
    flag: 'wait',
    kind: 'count',
    range: [1, 86_400],
    default: '600',
    describe: 'Seconds to wait until the last changes are merged.',
    commands: ['cutover'],
    group: 'Following',
  },
  verifyShare: {
    env: 'VERIFY_SHARE',
    kind: 'share',
    range: [0, 100],
    default: '25%',
    describe:
      'Share of the time to spend comparing documents while following, so that cutover need not; 0% turns it off.',
    commands: startOnly,
    group: 'Following',
  },
  compareAll: {
    env: 'COMPARE_ALL',
    kind: 'switch',
    default: '',
    describe: 'Compare all documents at cutover, also those that were compared while following.',
    commands: ['cutover'],
    group: 'Following',
  },
} as const satisfies OptionsOf<'Following'>;
