/** Builds the indexes of a loaded table, several at a time, each job in a session of its own. */

import type { IndexAccount } from '../../observe/summary.ts';
import type { PlannedIndex } from '../../plan/indexes/index-plan.ts';
import { accountOf, buildAlone, type Builder } from './builds.ts';
import type { SideBySideOptions } from './side-by-side.ts';

export interface BuildOptions extends SideBySideOptions {
  /** Called when an index is built. */
  onIndex(account: IndexAccount): void;
  /** By default, this process builds alone. */
  readonly builder?: Builder;
}

/**
 * An index that the rows do not allow is skipped, with the reason of Postgres. Any other error stops all jobs.
 * @returns the result of each, in the given order
 */
export async function buildIndexes(
  indexes: readonly PlannedIndex[],
  options: BuildOptions,
): Promise<IndexAccount[]> {
  const accounts: IndexAccount[] = [];
  const builds = indexes.map((index) => ({ kind: 'index', index }) as const);
  await (options.builder ?? buildAlone)(builds, options, (place, result) => {
    const index = indexes[place];
    if (index === undefined) return;
    const account = accountOf(index, result);
    accounts[place] = account;
    options.onIndex(account);
  });
  return accounts;
}
