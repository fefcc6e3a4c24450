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
  /** The same of the comparison that follows. */
  readonly verifyMs: number;
}

const cli = fileURLToPath(new URL('../../src/cli.js', import.meta.url));

/** Copies, and proves it. */
export async function runTool(client: pg.Client, settings: BenchSettings): Promise<ToolRun> {
  await client.query('DROP TABLE IF EXISTS users');
  await client.query('CHECKPOINT');
  const copy = await runCommand([], settings);
  const summary = copy.events.find((event) => event.kind === 'summary');
  await client.query('CHECKPOINT');
  const verify = await runCommand(['verify'], settings);
  const verified = verify.events.find((event) => event.kind === 'verified');
  if (summary === undefined || verified?.equal !== settings.amount) {
    throw new Error(`mongo2pg verify found ${verified?.equal ?? 0} of ${settings.amount} documents equal`);
  }
  return { wallMs: copy.wallMs, summary, verifyMs: verify.wallMs };
}

async function runCommand(
  args: readonly string[],
  settings: BenchSettings,
): Promise<{ wallMs: number; events: RunEvent[] }> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [cli, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      MONGO_URL: settings.mongoUrl,
      MONGO_DB: 'bench',
      MONGO_COLLECTION: 'users',
      POSTGRES_URL: settings.postgresUrl,
      CLUSTER_SIZE: String(settings.workers),
    },
  });
  const exited = once(child, 'exit');
  const events: RunEvent[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.kind !== 'progress') events.push(event);
  }
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`mongo2pg ${args.join(' ')} ended with code ${String(code)}`);
  return { wallMs: performance.now() - startedMs, events };
}
