/**
 * `npm run bench`: this tool, end to end, against the ceiling of the same machine.
 *
 * Both load the same users (or, with `--documents orders`, nested orders) into the same table of the same Postgres and build the same primary key; they take turns,
 * so that a noisy machine is noisy for both. Prints what it measured, good or bad, and leaves nothing behind.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedMongo, startEmbeddedPostgres } from '../../src/embedded/servers.ts';
import { options } from '../../src/options.ts';
import { seedUsers } from '../../src/seed.ts';
import { startProxy } from '../../test/support/tcp-proxy.ts';
import { prepareCeiling, runCeiling, type CeilingInput } from './ceiling.ts';
import { seedOrders } from './orders.ts';
import { describeMachine, describeRuns, formatTable } from './report.ts';
import { connectBench, readChecksum } from './table.ts';
import { runTool, type ToolRun } from './tool.ts';

const { values } = parseArgs({
  options: {
    amount: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '3' },
    workers: { type: 'string', default: String(availableParallelism() * 3) },
    documents: { type: 'string', default: 'users' },
    // Several, separated by commas, take turns.
    ranges: { type: 'string', default: options.readRanges.default },
    'source-latency': { type: 'string', default: '0' },
  },
});
const amount = Number(values.amount);
const runs = Number(values.runs);
const workers = Number(values.workers);
const readRanges = values.ranges.split(',').map(Number);
const latencyMs = Number(values['source-latency']);

const dataDir = await mkdtemp(join(tmpdir(), 'mongo2pg-bench-'));
try {
  const mongo = await startEmbeddedMongo({ dataDir, role: 'run' });
  const postgres = await startEmbeddedPostgres({ dataDir, role: 'run' });
  try {
    const proxy =
      latencyMs === 0 ? null : await startProxy({ port: Number(new URL(mongo.url).port), latencyMs });
    try {
      const toolMongoUrl = proxy?.url(mongo.url) ?? mongo.url;
      await bench({ mongoUrl: mongo.url, toolMongoUrl, postgresUrl: postgres.url, amount, runs, workers });
    } finally {
      await proxy?.close();
    }
  } finally {
    await Promise.all([mongo.stop(), postgres.stop()]);
  }
} finally {
  await rm(dataDir, { recursive: true, force: true });
}

export interface BenchSettings {
  readonly mongoUrl: string;
  /** The same server, as far away as was asked for. */
  readonly toolMongoUrl: string;
  readonly postgresUrl: string;
  readonly amount: number;
  readonly runs: number;
  readonly workers: number;
}

async function bench(settings: BenchSettings): Promise<void> {
  const client = await connectBench(settings.postgresUrl);
  try {
    console.log(await describeMachine(client));
    const seedMs = await timed(() =>
      values.documents === 'orders'
        ? seedOrders(settings.mongoUrl, amount)
        : seedUsers({ url: settings.mongoUrl, db: 'bench', collection: 'users', amount, ifExists: 'fail' }),
    );
    console.log(`seeded ${amount} ${values.documents} in ${(seedMs / 1000).toFixed(1)} s`);
    const input: CeilingInput = await prepareCeiling(settings);

    const toolRuns = new Map<number, ToolRun[]>(readRanges.map((ranges) => [ranges, []]));
    const ceilingRuns: number[] = [];
    // The first of each warms caches and is not counted.
    for (let run = 0; run <= settings.runs; run++) {
      const ceiling = await runCeiling(client, settings, input);
      const wanted = await readChecksum(client);
      if (run > 0) ceilingRuns.push(ceiling);
      const times: string[] = [];
      for (const [ranges, ofRanges] of toolRuns) {
        const tool = await runTool(client, settings, ranges);
        const actual = await readChecksum(client);
        if (actual !== wanted) throw new Error(`the tables differ: ${actual} instead of ${wanted}`);
        if (run > 0) ofRanges.push(tool);
        times.push(`${(tool.wallMs / 1000).toFixed(2)} s`);
      }
      console.log(
        `${run === 0 ? 'warm-up' : `run ${run}`}: ceiling ${(ceiling / 1000).toFixed(2)} s, mongo2pg ${times.join(', ')}, tables equal`,
      );
    }
    for (const [ranges, ofRanges] of toolRuns) {
      console.log(`\nREAD_RANGES=${ranges}, ${latencyMs} ms to the source and back`);
      console.log(formatTable(describeRuns(settings, input.bsonBytes, ceilingRuns, ofRanges)));
    }
  } finally {
    await client.end();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
