/** Keys and indexes to be built, and their results: by one process, or by several hosts that share them. */

import type pg from 'pg';
import type { IndexAccount } from '../../observe/summary.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { PlannedIndex } from '../../plan/indexes/index-plan.ts';
import { runCancellable } from '../connection/cancel.ts';
import { qualifiedName, type TableName } from '../connection/relations.ts';
import type { Session } from '../connection/session.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import { createIndex, describeRefusal } from './create-index.ts';
import { hasPrimaryKey } from './ddl.ts';
import { runCounting } from './primary-key.ts';
import { buildSideBySide, type SideBySideOptions } from './side-by-side.ts';

/** Plain data: with several hosts, the ledger has it. */
export type Build =
  /** The primary key of a partition. @param key the columns, quoted */
  | { readonly kind: 'key'; readonly table: TableName; readonly key: readonly string[] }
  | { readonly kind: 'index'; readonly index: PlannedIndex };

export type BuildResult =
  /** `count`: rows of the table when its key was built; null if unknown, or for an index. */
  | {
      readonly kind: 'built';
      readonly name: string;
      readonly durationMs: number;
      readonly count: number | null;
    }
  | { readonly kind: 'present'; readonly name: string }
  /** The rows do not allow it. */
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Builds all; resolves when all are built.
 * @param onBuilt called for each, with its place among `builds`
 * @param isNeeded asked before each is begun
 */
export type Builder = (
  builds: readonly Build[],
  options: SideBySideOptions,
  onBuilt: (place: number, result: BuildResult) => void,
  isNeeded?: (place: number) => boolean,
) => Promise<void>;

/** By this process alone. A key that the rows do not allow is an error; an index is `refused`. */
export const buildAlone: Builder = async (builds, options, onBuilt, isNeeded = () => true) => {
  const { url } = options;
  await buildSideBySide([...builds.entries()], options, async (session, [place, build], signal) => {
    if (!isNeeded(place)) return;
    await reachFailpoint(build.kind === 'key' ? 'primary-in-partition-key' : 'primary-in-index-build');
    onBuilt(place, await performBuild(session, build, { url, signal }));
  });
};

type Cancelling = Pick<SideBySideOptions, 'url' | 'signal'>;

async function performBuild(session: Session, build: Build, options: Cancelling): Promise<BuildResult> {
  return build.kind === 'key'
    ? await performKey(session, build, options)
    : await performIndex(session, build.index, options);
}

async function performKey(
  session: Session,
  build: Build & { readonly kind: 'key' },
  { url, signal }: Cancelling,
): Promise<BuildResult> {
  let result: BuildResult = { kind: 'present', name: '' };
  await runCancellable(session, url, signal, async (client) => {
    result = await buildKey(client, build);
  });
  return result;
}

/** Can be repeated: an existing key is kept. */
export async function buildKey(
  client: pg.Client,
  { table, key }: Build & { readonly kind: 'key' },
): Promise<BuildResult> {
  const startedMs = performance.now();
  if (await hasPrimaryKey(client, table)) return { kind: 'present', name: '' };
  const statement = `ALTER TABLE ${qualifiedName(table)} ADD PRIMARY KEY (${key.join(', ')})`;
  const count = await runCounting(client, table, [statement]);
  return { kind: 'built', name: '', durationMs: performance.now() - startedMs, count };
}

async function performIndex(
  session: Session,
  index: PlannedIndex,
  { url, signal }: Cancelling,
): Promise<BuildResult> {
  const startedMs = performance.now();
  // Kept across a lost connection: an index that exists afterwards may be the one that this process has built.
  const progress = { isBegun: false };
  let name = '';
  try {
    await runCancellable(session, url, signal, async (client) => {
      name = await createIndex(client, index, progress);
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { kind: 'refused', reason: describeRefusal(error) };
  }
  if (!progress.isBegun) return { kind: 'present', name };
  return { kind: 'built', name, durationMs: performance.now() - startedMs, count: null };
}

/** The account of an index. */
export function accountOf({ index, notices }: PlannedIndex, result: BuildResult): IndexAccount {
  switch (result.kind) {
    case 'built':
      return { outcome: 'built', index, name: result.name, durationMs: result.durationMs, notices };
    case 'present':
      return { outcome: 'present', index, name: result.name, notices };
    case 'refused':
      return { outcome: 'left', index, reason: result.reason };
  }
}
