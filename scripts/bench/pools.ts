/** `npm run bench -- --pools cluster,threads,inline`: the ways to run workers against each other, in turns. */

import type pg from 'pg';
import { UsageError } from '../../src/errors.ts';
import type { ClusterImplementation } from '../../src/config.ts';
import { clusterImplementations } from '../../src/options.ts';
import type { BenchSettings } from './main.ts';
import { median } from './report.ts';
import { readChecksum } from './table.ts';
import { runTool, type ToolRun } from './tool.ts';

export function parsePools(text: string): ClusterImplementation[] {
  return text.split(',').map((name) => {
    const found = clusterImplementations.find((known) => known === name);
    if (found === undefined) throw new UsageError(`--pools knows no "${name}"`);
    return found;
  });
}

/** @returns the rows of a table */
export async function benchPools(
  client: pg.Client,
  settings: BenchSettings,
  pools: readonly ClusterImplementation[],
): Promise<string[][]> {
  const runs = new Map<ClusterImplementation, ToolRun[]>();
  let wanted: string | undefined;
  // The first of each warms caches and is not counted.
  for (let run = 0; run <= settings.runs; run++) {
    for (const pool of pools) {
      const tool = await runTool(client, settings, pool);
      const actual = await readChecksum(client);
      wanted ??= actual;
      if (actual !== wanted) throw new Error(`the tables differ: ${actual} instead of ${wanted}`);
      console.log(
        `${run === 0 ? 'warm-up' : `run ${run}`}: ${pool} ${seconds(tool.wallMs)}, CPU ${seconds(tool.cpuMs)}, tables equal`,
      );
      if (run > 0) runs.set(pool, [...(runs.get(pool) ?? []), tool]);
    }
  }
  return [
    [`${settings.amount} users, ${settings.workers} workers`, 'time', 'CPU', 'CPU, min–max', 'peak memory'],
    ...Array.from(runs, ([pool, tools]) => {
      const cpu = tools.map(({ cpuMs }) => cpuMs);
      return [
        pool,
        seconds(median(tools.map(({ wallMs }) => wallMs))),
        seconds(median(cpu)),
        `${seconds(Math.min(...cpu))}–${seconds(Math.max(...cpu))}`,
        `${(median(tools.map((tool) => peakOf(pool, tool))) / 1e6).toFixed(0)} MB`,
      ];
    }),
  ];
}

/** Of all processes of the run together, were they all at their peaks at once. */
function peakOf(pool: ClusterImplementation, { summary }: ToolRun): number {
  const ofWorkers = pool === 'cluster' ? summary.workerPeakMemoryBytes : [];
  return ofWorkers.reduce((sum, bytes) => sum + bytes, summary.primaryPeakRssBytes);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
