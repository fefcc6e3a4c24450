/** Runs test files on a MongoDB and a PostgreSQL, and gives the runner's exit code. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, findLacking, lackingEnv, type Feature } from '../test/support/server-features.ts';

export interface TestServers {
  readonly mongoUrl: string;
  readonly postgresUrl: string;
}

const unitFolder = join('dist', 'test', 'unit', '/');
/** Runs them in one process. */
const unitEntry = join('dist', 'test', 'support', 'unit-files.js');

/** Built test files whose path has one of the words; all without words. */
export function listTestFiles(words: readonly string[]): string[] {
  // Taken from the sources, as dist may hold tests that are gone.
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .map((file) => join('dist', 'test', file.replace(/\.ts$/, '.js')))
    .sort();
}

/** @param lacks what tests are skipped for; asked of the servers when absent */
export async function runTestFiles(
  files: readonly string[],
  { mongoUrl, postgresUrl }: TestServers,
  flags: readonly string[] = [],
  lacks?: readonly Feature[],
): Promise<number> {
  const missing = lacks ?? (await findLacking(mongoUrl, postgresUrl));
  for (const feature of missing) console.log(`the servers lack ${describe(feature)}: such tests are skipped`);
  const always = [
    // In any case: without a terminal the default differs between versions of Node.
    '--test-reporter=spec',
    // Node would leave a core out, which of two is half of them; and many tests wait more than they compute.
    `--test-concurrency=${availableParallelism()}`,
  ];
  const units = files.filter((file) => file.startsWith(unitFolder));
  const others = files.filter((file) => !file.startsWith(unitFolder));
  const started = units.length > 1 ? [unitEntry, ...others] : files;
  const runner = spawn(process.execPath, ['--test', ...always, ...flags, ...started], {
    stdio: 'inherit',
    env: {
      ...process.env,
      TEST_MONGO_URL: mongoUrl,
      TEST_POSTGRES_URL: postgresUrl,
      TEST_UNIT_FILES: units.join('\n'),
      ...lackingEnv(missing),
    },
  });
  const [code] = (await once(runner, 'exit')) as [number | null];
  return code ?? 1;
}
