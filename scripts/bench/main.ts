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
import { seedUsers } from '../../src/seed.ts';
import { prepareCeiling, runCeiling, type CeilingInput } from './ceiling.ts';
import { seedOrders } from './orders.ts';
import { benchPools, parsePools } from './pools.ts';
import { describeMachine, describeRuns, formatTable } from './report.ts';
import { connectBench, readChecksum } from './table.ts';
import { runTool } from './tool.ts';

const { values } = parseArgs({
  options: {
    amount: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '3' },
    workers: { type: 'string', default: String(availableParallelism() * 3) },
    documents: { type: 'string', default: 'users' },
    pools: { type: 'string' },
  },
});
const amount = Number(values.amount);
const runs = Number(values.runs);
const workers = Number(values.workers);

const dataDir = await mkdtemp(join(tmpdir(), 'mongo2pg-bench-'));
try {
  const mongo = await startEmbeddedMongo({ dataDir, role: 'run' });
  const postgres = await startEmbeddedPostgres({ dataDir, role: 'run' });
  try {
    await bench({ mongoUrl: mongo.url, postgresUrl: postgres.url, amount, runs, workers });
  } finally {
    await Promise.all([mongo.stop(), postgres.stop()]);
  }
} finally {
  await rm(dataDir, { recursive: true, force: true });
}

export interface BenchSettings {
  readonly mongoUrl: string;
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
    if (values.pools !== undefined) {
      console.log(`\n${formatTable(await benchPools(client, settings, parsePools(values.pools)))}`);
      return;
    }
    const input: CeilingInput = await prepareCeiling(settings);

    const toolRuns = [];
    const ceilingRuns = [];
    // The first of each warms caches and is not counted.
    for (let run = 0; run <= settings.runs; run++) {
      const ceiling = await runCeiling(client, settings, input);
      const wanted = await readChecksum(client);
      const tool = await runTool(client, settings);
      const actual = await readChecksum(client);
      if (actual !== wanted) throw new Error(`the tables differ: ${actual} instead of ${wanted}`);
      console.log(
        `${run === 0 ? 'warm-up' : `run ${run}`}: ceiling ${(ceiling / 1000).toFixed(2)} s, mongo2pg ${(tool.wallMs / 1000).toFixed(2)} s, tables equal`,
      );
      if (run === 0) continue;
      ceilingRuns.push(ceiling);
      toolRuns.push(tool);
    }
    console.log(`\n${formatTable(describeRuns(settings, input.bsonBytes, ceilingRuns, toolRuns))}`);
  } finally {
    await client.end();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
