/** Settings of the group *Output*: what is shown, and where. */

import { startOnly, startAndJoin, allThatWork } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const outputOptions = {
  report: {
    env: 'REPORT',
    kind: 'path',
    default: '',
    describe:
      'File for a report of the run: one HTML page with the summary, speed, memory and workers over time.',
    commands: startAndJoin,
    group: 'Output',
  },
  metricsPort: {
    env: 'METRICS_PORT',
    kind: 'count',
    range: [0, 65_535],
    default: '',
    describe:
      'Show the run in a browser on this port, with Prometheus metrics at /metrics and probes at /healthz and /readyz; 0 picks a free port.',
    commands: allThatWork,
    group: 'Output',
  },
  metricsHost: {
    env: 'METRICS_HOST',
    kind: 'text',
    default: '127.0.0.1',
    describe:
      'Address to serve the page and the metrics on; the default is reachable from this machine only.',
    commands: allThatWork,
    group: 'Output',
  },
  watch: {
    env: 'STATUS_WATCH',
    flag: 'watch',
    kind: 'switch',
    default: '',
    describe: 'Repeat the status every two seconds until no run is active.',
    commands: ['status'],
    group: 'Output',
  },
  all: {
    env: 'STATUS_ALL',
    flag: 'all',
    kind: 'switch',
    default: '',
    describe: 'Also show runs whose rows a later run has replaced.',
    commands: ['status'],
    group: 'Output',
  },
  amountUsers: {
    env: 'AMOUNT_USERS',
    kind: 'count',
    range: [0, Number.MAX_SAFE_INTEGER],
    default: '',
    describe:
      'Expected number of documents: the total of the progress bar, and a warning at the end if the count differs.',
    commands: startOnly,
    group: 'Output',
  },
  json: {
    env: 'JSON_LINES',
    kind: 'switch',
    default: '',
    describe: 'Print progress and summary as JSON lines on standard output.',
    commands: [
      'start',
      'join',
      'verify',
      'status',
      'seed',
      'retry',
      'cutover',
      'repair',
      'doctor',
      'tune',
      'promote',
    ],
    group: 'Output',
  },
} as const satisfies OptionsOf<'Output'>;
