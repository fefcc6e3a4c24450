/** One run of the tool as a user starts it, in a process of its own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import type { RunEvent, Summary } from '../../src/events.ts';
import type { BenchSettings } from './main.ts';

export interface ToolRun {
  /** From the start of the process to its end. */
  readonly wallMs: number;
  readonly summary: Summary;
}

const cli = fileURLToPath(new URL('../../src/cli.js', import.meta.url));

export async function runTool(
  client: pg.Client,
  settings: BenchSettings,
  readRanges: number,
): Promise<ToolRun> {
  await client.query('DROP TABLE IF EXISTS users');
  await client.query('CHECKPOINT');
  const startedMs = performance.now();
  const child = spawn(process.execPath, [cli, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      MONGO_URL: settings.toolMongoUrl,
      READ_RANGES: String(readRanges),
      MONGO_DB: 'bench',
      MONGO_COLLECTION: 'users',
      POSTGRES_URL: settings.postgresUrl,
      CLUSTER_SIZE: String(settings.workers),
    },
  });
  const exited = once(child, 'exit');
  let summary: Summary | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.kind === 'summary') summary = event;
  }
  const [code] = (await exited) as [number | null];
  const wallMs = performance.now() - startedMs;
  if (code !== 0 || summary === undefined) throw new Error(`mongo2pg ended with code ${String(code)}`);
  return { wallMs, summary };
}
