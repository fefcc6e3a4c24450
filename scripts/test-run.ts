/** Runs test files on a MongoDB and a PostgreSQL, and gives the runner's exit code. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, findLacking, lackingEnv, type Feature } from '../test/support/server-features.ts';
import { runGroup } from './process-group.ts';
import { assignToProcesses, testFolders, writeEntries } from './test-processes.ts';

export interface TestServers {
  readonly mongoUrl: string;
  readonly postgresUrl: string;
}

/** Built test files whose path has one of the words; all without words. */
export function listTestFiles(words: readonly string[]): string[] {
  // From the sources, as dist may have tests that were removed.
  const files = testFolders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  );
  return files
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .map((file) => join('dist', file.replace(/\.ts$/, '.js')))
    .sort();
}

/** @param lacks features whose tests are skipped; read from the servers by default */
export async function runTestFiles(
  files: readonly string[],
  { mongoUrl, postgresUrl }: TestServers,
  flags: readonly string[] = [],
  lacks?: readonly Feature[],
): Promise<number> {
  const missing = lacks ?? (await findLacking(mongoUrl, postgresUrl));
  for (const feature of missing) console.log(`the servers lack ${describe(feature)}: such tests are skipped`);
  // Node would leave one core idle, which of two is half of them; and many tests wait more than they compute: two more than there
  // are cores leave 7% of these idle, and one more 26%.
  const atOnce = availableParallelism() + 2;
  const always = [
    // In any case: without a terminal the default differs between versions of Node.
    '--test-reporter=spec',
    `--test-concurrency=${atOnce}`,
  ];
  const folder = mkdtempSync(join(tmpdir(), 'mongo2pg-entries-'));
  try {
    const entries = writeEntries(folder, assignToProcesses(files, atOnce));
    const code = await runGroup(process.execPath, ['--test', ...always, ...flags, ...entries], {
      stdio: 'inherit',
      env: {
        ...process.env,
        TEST_MONGO_URL: mongoUrl,
        TEST_POSTGRES_URL: postgresUrl,
        ...lackingEnv(missing),
      },
    });
    return code ?? 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
