/** One run of the tool as a user starts it, in a process of its own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import type { ClusterImplementation } from '../../src/config.ts';
import type { RunEvent, Summary } from '../../src/events.ts';
import type { BenchSettings } from './main.ts';

export interface ToolRun {
  /** From the start of the process to its end. */
  readonly wallMs: number;
  /** User and system time of all of its processes; not of the servers. */
  readonly cpuMs: number;
  readonly summary: Summary;
}

const cli = fileURLToPath(new URL('../../src/cli.js', import.meta.url));

/** What a shell runs, to tell at the end what the command and its children took of the processors. */
const timed = '"$@"; code=$?; times >&2; exit $code';

export async function runTool(
  client: pg.Client,
  settings: BenchSettings,
  implementation: ClusterImplementation = 'cluster',
): Promise<ToolRun> {
  await client.query('DROP TABLE IF EXISTS users');
  await client.query('CHECKPOINT');
  const startedMs = performance.now();
  const child = spawn('sh', ['-c', timed, 'sh', process.execPath, cli, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      MONGO_URL: settings.mongoUrl,
      MONGO_DB: 'bench',
      MONGO_COLLECTION: 'users',
      POSTGRES_URL: settings.postgresUrl,
      CLUSTER_IMPLEMENTATION: implementation,
      CLUSTER_SIZE: String(settings.workers),
    },
  });
  const exited = once(child, 'close');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  let summary: Summary | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.kind === 'summary') summary = event;
  }
  const [code] = (await exited) as [number | null];
  const wallMs = performance.now() - startedMs;
  if (code !== 0 || summary === undefined)
    throw new Error(`mongo2pg ended with code ${String(code)}: ${said}`);
  return { wallMs, cpuMs: readTimes(said), summary };
}

/** The last line of `times`: user and system time of the shell's children, such as `0m2.500s 0m0.360s`. */
function readTimes(text: string): number {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  const times = Array.from(line.matchAll(/(\d+)m([\d.]+)s/g), ([, minutes, seconds]) => {
    return Number(minutes) * 60_000 + Number(seconds) * 1000;
  });
  const [user, system] = times;
  if (user === undefined || system === undefined) throw new Error(`not what \`times\` tells: ${line}`);
  return user + system;
}
