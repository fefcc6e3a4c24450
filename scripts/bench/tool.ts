/** This tool as a user starts it, in a process of its own. */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { RunEvent } from '../../src/observe/events.ts';
import type { Contestant, Effort } from './contestant.ts';
import { databaseName, tableName } from './names.ts';
import { lineTablePlan } from './orders.ts';
import type { Place } from './place.ts';
import { changesTable, describeTransform, writeTransform, type TransformKind } from './transforms.ts';
import { readOwnCpuMs } from './usage.ts';

const cli = fileURLToPath(new URL('../../bundle/src/cli/main.js', import.meta.url));

export interface ToolSettings {
  readonly pool: 'cluster' | 'threads' | 'inline';
  /** Undefined: the default. */
  readonly workers?: number | undefined;
  readonly itemsPerPage?: number | undefined;
  readonly readRanges?: number | undefined;
  /** The lines of orders go to a table of their own. */
  readonly hasLineTable?: boolean | undefined;
  /** OBJECT_ID_COLLATION. */
  readonly objectIdCollation?: 'default' | undefined;
  /** PARTITIONS. */
  readonly partitions?: number | undefined;
  /** Of users. */
  readonly transform?: TransformKind | undefined;
}

export function createTool(settings: ToolSettings): Contestant {
  const {
    pool,
    workers,
    itemsPerPage,
    readRanges,
    hasLineTable = false,
    objectIdCollation,
    partitions,
    transform,
  } = settings;
  const size = workers === undefined ? 'default workers' : `${workers} workers`;
  const page = itemsPerPage === undefined ? '' : `, pages of ${itemsPerPage}`;
  const readers = readRanges === undefined ? '' : `, ${readRanges} ranges`;
  const lines = hasLineTable ? ', lines in a table of their own' : '';
  const order = objectIdCollation === undefined ? '' : ', ids in the collation of the database';
  const parts = partitions === undefined ? '' : `, ${partitions} partitions`;
  const changed = transform === undefined ? '' : `, ${describeTransform(transform)}`;
  const env = {
    CLUSTER_IMPLEMENTATION: pool,
    CLUSTER_SIZE: workers === undefined ? '' : String(workers),
    ITEMS_PER_PAGE: itemsPerPage === undefined ? '' : String(itemsPerPage),
    READ_RANGES: readRanges === undefined ? '' : String(readRanges),
    OBJECT_ID_COLLATION: objectIdCollation ?? '',
    PARTITIONS: partitions === undefined ? '' : String(partitions),
  };
  return {
    name: `mongo2pg, ${pool}, ${size}${page}${readers}${lines}${order}${parts}${changed}`,
    table: transform !== undefined && changesTable(transform) ? 'changed' : '',
    run: async (place) => {
      const args = [
        ...(hasLineTable ? ['--plan', writePlan(place)] : []),
        ...(transform === undefined ? [] : writeTransform(place, transform)),
      ];
      const { wallMs, primaryCpuMs, event: summary } = await runCommand(place, args, env, 'summary');
      return { ...effortOf(summary, wallMs), primaryCpuMs };
    },
  };
}

/** @param wallMs of the whole command, or of several */
export function effortOf(
  { planMs, loadMs, indexMs, primaryPeakRssBytes, workerPeakMemoryBytes }: EventOf<'summary'>,
  wallMs: number,
): Effort {
  return {
    wallMs,
    stepsMs: { plan: planMs, load: loadMs, key: indexMs, rest: wallMs - planMs - loadMs - indexMs },
    peakBytes: { primary: primaryPeakRssBytes, worker: Math.max(...workerPeakMemoryBytes) },
  };
}

function writePlan({ folder }: Place): string {
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify(lineTablePlan));
  return file;
}

/** Compares what is in the table. */
export async function runVerify(place: Place, workers: number, amount: number): Promise<number> {
  const env = { CLUSTER_SIZE: String(workers) };
  const { wallMs, event } = await runCommand(place, ['verify'], env, 'verified');
  if (event.equal !== amount) throw new Error(`verify found ${event.equal} of ${amount} documents equal`);
  return wallMs;
}

/** Its events are the lines of its standard output. */
export function startTool(
  { toolMongoUrl, toolPostgresUrl, node }: Place,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  command = cli,
): ChildProcessByStdio<null, Readable, null> {
  return spawn(node, [command, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      MONGO_URL: toolMongoUrl,
      MONGO_DB: databaseName,
      MONGO_COLLECTION: tableName,
      POSTGRES_URL: toolPostgresUrl,
      ...env,
    },
  });
}

type EventOf<Kind extends RunEvent['kind']> = Extract<RunEvent, { kind: Kind }>;

/**
 * @param kind of the event that is returned, the last one of several
 * @param command the built command of this checkout, or of another one
 */
export async function runCommand<Kind extends RunEvent['kind']>(
  place: Place,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  kind: Kind,
  command: string = cli,
): Promise<{ wallMs: number; primaryCpuMs: number | null; event: EventOf<Kind> }> {
  const startedMs = performance.now();
  const child = startTool(place, args, env, command);
  const exited = once(child, 'exit');
  let found: EventOf<Kind> | undefined;
  let primaryCpuMs: number | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.kind !== kind) continue;
    found = event as EventOf<Kind>;
    // It is about to end, and then its memory cannot be read.
    primaryCpuMs = readOwnCpuMs(child.pid ?? 0);
  }
  const [code] = (await exited) as [number | null];
  const wallMs = performance.now() - startedMs;
  if (code !== 0 || found === undefined) {
    throw new Error(`mongo2pg ${args.join(' ')} ended with code ${String(code)}`);
  }
  return { wallMs, primaryCpuMs, event: found };
}
