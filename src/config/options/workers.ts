/** Settings of the group *Workers*: how many load, and how much at a time. */

import { allThatWork, allWithWorkers } from './commands.ts';
import type { OptionsOf } from './option.ts';

export const clusterImplementations = ['cluster', 'threads', 'inline'] as const;

export const workersOptions = {
  clusterImplementation: {
    env: 'CLUSTER_IMPLEMENTATION',
    kind: 'choice',
    choices: clusterImplementations,
    default: 'cluster',
    describe:
      'How workers run: cluster (processes), threads (in one process), or inline (connections of the primary process).',
    commands: allThatWork,
    group: 'Workers',
  },
  clusterSizeMultiplier: {
    env: 'CLUSTER_SIZE_MULTIPLIER',
    kind: 'count',
    range: [1, 100],
    default: '3',
    describe: 'With CLUSTER_SIZE=auto, the maximum of workers per core, reached if PostgreSQL is far away.',
    commands: allWithWorkers,
    group: 'Workers',
  },
  clusterSize: {
    env: 'CLUSTER_SIZE',
    kind: 'size',
    range: [1, 1000],
    default: 'auto',
    describe:
      'Number of workers, each with one PostgreSQL connection; or auto: workers and connections are chosen while it runs, by measured waits. Limited by the connections that PostgreSQL has free.',
    commands: allWithWorkers,
    group: 'Workers',
  },
  itemsPerPage: {
    env: 'ITEMS_PER_PAGE',
    kind: 'count',
    // The upper end keeps a page's bookkeeping in 32-bit integers; MongoDB cuts a reply at 16 MB anyway.
    range: [1, 1_000_000],
    default: '20000',
    describe:
      'Maximum documents per batch (one page, one COPY, one transaction). A batch also ends at about 4 MB.',
    commands: allThatWork,
    group: 'Workers',
  },
  maxInFlightMb: {
    env: 'MAX_IN_FLIGHT_MB',
    kind: 'count',
    range: [1, 65_536],
    default: '64',
    describe: 'Maximum megabytes read but not yet committed; a single batch is always allowed.',
    commands: allThatWork,
    group: 'Workers',
  },
} as const satisfies OptionsOf<'Workers'>;
