/** Settings of the group *Limits*: how fast to read, what to tolerate, and for how long. */

import { allOnPostgres, startAndCutover, allThatWork, allThatWorkAndTune } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const loadLevels = ['low', 'medium', 'high'] as const;
export type LoadLevel = (typeof loadLevels)[number];

export const limitsOptions = {
  maxRate: {
    env: 'MAX_RATE',
    kind: 'rate',
    default: '',
    describe:
      'Maximum documents (`5000`) or megabytes (`20MB`) to read from the source per second (default: no limit).',
    commands: allThatWorkAndTune,
    group: 'Limits',
  },
  loadLevel: {
    env: 'LOAD_LEVEL',
    kind: 'choice',
    choices: loadLevels,
    default: '',
    shown: 'high',
    describe:
      'Load on the source: `high` reads as fast as possible; `medium` reads less once the server takes twice as long to answer; `low` does too, and reads half of the time at most.',
    commands: allThatWorkAndTune,
    group: 'Limits',
  },
  maxDeadLetters: {
    env: 'MAX_DEAD_LETTERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe:
      'Stop the run after more than this many dead letters (default: never). For `cutover`: how many to accept (default: none).',
    commands: startAndCutover,
    group: 'Limits',
  },
  retrySeconds: {
    env: 'RETRY_SECONDS',
    kind: 'count',
    range: [0, 86_400],
    default: '60',
    describe: 'How long transient errors are retried before the run stops.',
    commands: allOnPostgres,
    group: 'Limits',
  },
  answerTimeoutSeconds: {
    env: 'ANSWER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [1, 86_400],
    default: '120',
    describe: 'How long to wait for an answer from a server before reconnecting.',
    commands: ['start', 'join', 'verify', 'status', 'cutover', 'repair', 'doctor', 'tune', 'promote'],
    group: 'Limits',
  },
  workerTimeoutSeconds: {
    env: 'WORKER_TIMEOUT_SECONDS',
    kind: 'count',
    range: [2, 86_400],
    default: '60',
    describe: 'How long a worker may send no heartbeat before it is killed and replaced.',
    commands: allThatWork,
    group: 'Limits',
  },
} as const satisfies OptionsOf<'Limits'>;
