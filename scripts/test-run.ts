/** Runs test files on a MongoDB and a PostgreSQL, and gives the runner's exit code. */

import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, findLacking, lackingEnv, type Feature } from '../test/support/server-features.ts';
import { runGroup } from './process-group.ts';

export interface TestServers {
  readonly mongoUrl: string;
  readonly postgresUrl: string;
}

/** The folders of the tests of the tool, and of the trial servers. */
const testFolders = ['test', join('packages', 'trial-servers', 'test')];
const unitFolders = testFolders.map((folder) => join('dist', folder, 'unit', '/'));
/**
 * Runs them in one process, which takes longer than any other file: it begins before those of `dist/test`, as Node's runner sorts
 * files by their paths, or one core would have nothing to do at the end.
 */
const unitEntry = join('dist', 'scripts', 'unit-files.js');

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
  const always = [
    // In any case: without a terminal the default differs between versions of Node.
    '--test-reporter=spec',
    // Node would leave one core idle, which of two is half of them; and many tests wait more than they compute: two more than there
    // are cores leave 7% of these idle, and one more 26%.
    `--test-concurrency=${availableParallelism() + 2}`,
  ];
  const isUnit = (file: string): boolean => unitFolders.some((folder) => file.startsWith(folder));
  const units = files.filter(isUnit);
  const others = files.filter((file) => !isUnit(file));
  const started = units.length > 1 ? [unitEntry, ...others] : files;
  const code = await runGroup(process.execPath, ['--test', ...always, ...flags, ...started], {
    stdio: 'inherit',
    env: {
      ...process.env,
      TEST_MONGO_URL: mongoUrl,
      TEST_POSTGRES_URL: postgresUrl,
      TEST_UNIT_FILES: units.join('\n'),
      ...lackingEnv(missing),
    },
  });
  return code ?? 1;
}
