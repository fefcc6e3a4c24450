/** What is measured: which documents, how many, and who copies them. */

import { createCeiling } from './ceiling.ts';
import type { Contestant } from './contestant.ts';
import type { Kind } from './documents.ts';
import { createHosts } from './hosts.ts';
import { createNaive } from './naive-contestant.ts';
import { createPsql } from './psql.ts';
import { createTool, type ToolSettings } from './tool.ts';
import { transformKinds } from './transforms.ts';

export interface Case {
  /** Short, for the command line and the file of results. */
  readonly name: string;
  readonly kind: Kind;
  readonly amount: number;
  /** Each contestant runs once in each, one after the other; a first one warms caches and does not count. */
  readonly rounds: number;
  readonly contestants: readonly (Contestant | null)[];
  /** Of the tool alone, whose tables differ from those of the ceiling: the others are compared with its first run. */
  readonly hasOwnTables?: boolean;
}

/** Streams of the ceiling: the processors of a small machine, and also the workers of the tool beside it. */
const streams = 2;
const pools = ['cluster', 'threads', 'inline'] as const satisfies readonly ToolSettings['pool'][];

const loaders = (): (Contestant | null)[] => [createCeiling(streams), createPsql(streams)];

const allPools = (workers: number): Contestant[] => pools.map((pool) => createTool({ pool, workers }));

export function quickCases(): Case[] {
  const own = (): Contestant[] => [
    createTool({ pool: 'cluster', workers: 2 }),
    createTool({ pool: 'threads', workers: 2 }),
  ];
  return [
    { name: 'users', kind: 'users', amount: 200_000, rounds: 3, contestants: [...loaders(), ...own()] },
    { name: 'orders', kind: 'orders', amount: 30_000, rounds: 2, contestants: [...loaders(), ...own()] },
    {
      name: 'otherwise',
      kind: 'users',
      amount: 20_000,
      rounds: 1,
      contestants: [createNaive('insert'), createNaive('multi-insert'), createNaive('copy'), ...own()],
    },
  ];
}

export function allCases(): Case[] {
  return [
    {
      name: 'users',
      kind: 'users',
      amount: 1_000_000,
      rounds: 3,
      contestants: [...loaders(), ...allPools(2), createTool({ pool: 'cluster' })],
    },
    // The cost of a start.
    {
      name: 'few',
      kind: 'users',
      amount: 1_000,
      rounds: 9,
      contestants: [createTool({ pool: 'cluster' }), ...allPools(2), createNaive('copy')],
    },
    {
      name: 'pages',
      kind: 'users',
      amount: 1_000_000,
      rounds: 2,
      contestants: [1_000, 3_000, 10_000, 30_000].map((itemsPerPage) =>
        createTool({ pool: 'cluster', workers: 2, itemsPerPage }),
      ),
    },
    {
      name: 'orders',
      kind: 'orders',
      amount: 200_000,
      rounds: 3,
      contestants: [...loaders(), ...allPools(2)],
    },
    {
      name: 'order-lines',
      kind: 'orders',
      amount: 200_000,
      rounds: 2,
      contestants: [
        createTool({ pool: 'cluster', workers: 2, hasLineTable: true }),
        createTool({ pool: 'threads', workers: 2, hasLineTable: true }),
      ],
      hasOwnTables: true,
    },
    {
      name: 'transforms',
      kind: 'users',
      amount: 200_000,
      rounds: 5,
      contestants: [undefined, ...transformKinds].map((transform) =>
        createTool({ pool: 'cluster', workers: 2, transform }),
      ),
    },
    { name: 'wide', kind: 'wide', amount: 100_000, rounds: 3, contestants: [...loaders(), ...allPools(2)] },
    { name: 'large', kind: 'large', amount: 20, rounds: 2, contestants: [...loaders(), ...allPools(2)] },
    {
      name: 'otherwise',
      kind: 'users',
      amount: 100_000,
      rounds: 2,
      contestants: [
        createNaive('insert'),
        createNaive('multi-insert'),
        createNaive('copy'),
        createTool({ pool: 'cluster', workers: 2 }),
      ],
    },
  ];
}

/** Other tools, beside this one with its defaults and with other settings. */
export function peerCases(peers: readonly Contestant[]): Case[] {
  const own = [
    createTool({ pool: 'cluster' }),
    createTool({ pool: 'cluster', workers: 2 }),
    createTool({ pool: 'cluster', workers: 6 }),
    createTool({ pool: 'inline', workers: 2 }),
  ];
  const contestants = [...own, ...peers];
  const rounds = { 1_000: 5, 100_000: 5, 1_000_000: 3 };
  return Object.entries(rounds).map(([amount, times]): Case => ({
    name: `peers-${amount}`,
    kind: 'users',
    amount: Number(amount),
    rounds: times,
    contestants,
  }));
}

/** Several hosts, beside one that has none. */
export function hostCases(amount: number): Case[] {
  const counts = [1, 2, 3];
  return [undefined, 1].map((workers): Case => ({
    name: workers === undefined ? 'hosts' : 'hosts-one-worker',
    kind: 'users',
    amount,
    rounds: 3,
    contestants: [
      createTool({ pool: 'cluster', workers }),
      ...counts.map((count) => createHosts(count, workers)),
    ],
  }));
}

/** A table in partitions, whose keys are built one by one, beside a plain one. */
export function partitionCases(amount: number): Case[] {
  const contestants = [undefined, 8].map((partitions) =>
    createTool({ pool: 'cluster', workers: 2, partitions }),
  );
  return [{ name: 'partitions', kind: 'users', amount, rounds: 3, contestants }];
}

export function longCases(): Case[] {
  return [
    {
      name: 'users-10m',
      kind: 'users',
      amount: 10_000_000,
      rounds: 1,
      contestants: [createCeiling(streams), ...allPools(2)],
    },
  ];
}

/** How time and memory grow with the documents, and time with the workers. */
export function growthCases(): Case[] {
  const tool = createTool({ pool: 'cluster', workers: 2 });
  const amounts = [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
  return [
    ...amounts.map((amount): Case => ({
      name: `grow-${amount}`,
      kind: 'users',
      amount,
      rounds: 1,
      contestants: [tool],
    })),
    {
      name: 'workers',
      kind: 'users',
      amount: 1_000_000,
      rounds: 2,
      contestants: [1, 2, 3, 4, 6, 8, 12].map((workers) => createTool({ pool: 'cluster', workers })),
    },
  ];
}
