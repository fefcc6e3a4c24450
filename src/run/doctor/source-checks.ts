/** Checks the source: the server or the dump, the collections, and whether changes can be followed. */

import { MigrationError } from '../../common/errors.ts';
import { formatCount, formatDuration, formatMegabytes, formatPlural } from '../../common/format.ts';
import { chooseCollections, type CollectionInfo } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import type { Changes, HiddenHistory } from '../../source/changes.ts';
import { differenceMs } from '../../source/cluster-time.ts';
import type { Database } from '../../source/database.ts';
import type { History, ServerFacts, Topology } from '../../source/server-facts.ts';
import { advice, ok, problem, type Finding, type OnFinding } from './finding.ts';

/** A longer round trip takes more time than reading a page. */
const farMs = 5;
const hourMs = 3_600_000;
/** One day, enough to notice and fix an interrupted `--follow`. */
const shortHistoryMs = 24 * hourMs;
/** An oplog that is not full does not show yet how far back it will reach. */
const fullShare = 0.9;

export type SourceConfig = Pick<Config, 'mongoCollection' | 'excludeCollections'>;

/**
 * @returns uncompressed bytes of the documents of all chosen collections
 * @throws only errors other than MigrationError
 */
export async function checkSource(
  database: Database,
  config: SourceConfig,
  onFinding: OnFinding,
): Promise<number> {
  const facts = (await attempt(() => database.describeServer?.(), onFinding)) ?? null;
  if (facts !== null) for (const finding of judgeServer(facts)) onFinding(finding);
  const bytes = (await attempt(() => checkCollections(database, config, onFinding), onFinding)) ?? 0;
  if (database.changes === undefined) {
    onFinding(ok('source', 'a dump does not change: it is copied, and cannot be followed'));
  } else {
    await checkChanges(database.changes, config, facts, onFinding);
  }
  return bytes;
}

/** An error becomes a finding, and the other checks continue. */
async function attempt<T>(look: () => Promise<T> | undefined, onFinding: OnFinding): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    onFinding(problem('source', error));
    return undefined;
  }
}

export function judgeServer({ product, topology, hostCount, roundTripMs }: ServerFacts): Finding[] {
  const members = hostCount === null ? '' : ` with ${formatPlural(hostCount, 'member')}`;
  const trip = `a round trip takes ${roundTripMs.toFixed(1)} ms`;
  return [
    ok('source', `${product}, a ${topology}${members}`),
    roundTripMs < farMs
      ? ok('source', trip)
      : advice('source', trip, 'run mongo2pg on a machine near MongoDB, or raise READ_RANGES.'),
  ];
}

async function checkCollections(
  database: Database,
  { mongoCollection, excludeCollections }: SourceConfig,
  onFinding: OnFinding,
): Promise<number> {
  const { chosen, skipped } = chooseCollections(
    await database.listCollections(),
    mongoCollection,
    excludeCollections,
  );
  for (const { name, reason } of skipped) {
    onFinding(advice('source', `${database.name}.${name} is not copied`, `it is ${reason}.`));
  }
  const readable: CollectionInfo[] = [];
  for (const info of chosen) {
    const opened = await attempt(() => database.open(info.name), onFinding);
    if (opened !== undefined) readable.push(info);
  }
  const bytes = chosen.reduce((sum, info) => sum + info.bytes, 0);
  if (readable.length > 0) onFinding(ok('source', describeCollections(database.name, readable)));
  return bytes;
}

/** Names the largest ones, so that a wrong choice is noticed. */
function describeCollections(database: string, infos: readonly CollectionInfo[]): string {
  const shown = 5;
  const names = infos.slice(0, shown).map(({ name, bytes }) => `${name} (${formatMegabytes(bytes)})`);
  const more = infos.length > shown ? ` and ${formatCount(infos.length - shown)} more` : '';
  return `${formatPlural(infos.length, 'collection')} of ${database} can be read: ${names.join(', ')}${more}`;
}

async function checkChanges(
  changes: Changes,
  { mongoCollection: wanted, excludeCollections: excluded }: SourceConfig,
  facts: ServerFacts | null,
  onFinding: OnFinding,
): Promise<void> {
  try {
    const stream = await changes.openStream({ wanted, excluded }, null);
    await stream.close();
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    // Not needed for a copy without --follow.
    onFinding(advice('source', `--follow is not possible: ${error.message}`, error.fix));
    return;
  }
  onFinding(ok('source', 'changes can be followed: --follow is possible'));
  const oldest = await changes.readOldestTime();
  const window = typeof oldest === 'bigint' ? differenceMs(oldest, await changes.readTime()) : oldest;
  onFinding(judgeHistory(window, facts?.history ?? null, facts?.topology));
}

/** @param window how far the oplog reaches back, in milliseconds, or why that is unknown */
export function judgeHistory(
  window: number | HiddenHistory,
  history: History | null,
  topology?: Topology,
): Finding {
  if (typeof window === 'string') return judgeHidden(window, topology);
  const size =
    history === null ? '' : `, ${formatMegabytes(history.bytes)} of ${formatMegabytes(history.maxBytes)}`;
  const text = `the oplog reaches back ${formatDuration(window)}${size}`;
  const isFull = history === null || history.bytes >= history.maxBytes * fullShare;
  if (window >= shortHistoryMs || !isFull) return ok('source', text);
  return advice(
    'source',
    `${text}: a process that follows must not be stopped for longer`,
    'keep a day of it: db.adminCommand({replSetResizeOplog: 1, minRetentionHours: 24}).',
  );
}

function judgeHidden(why: HiddenHistory, topology: Topology | undefined): Finding {
  const text = 'it is unknown how far the oplog reaches back';
  if (why === 'forbidden') {
    const fix = 'grant the right to read it: db.grantRolesToUser("USER", [{role: "read", db: "local"}]).';
    return advice('source', text, fix);
  }
  if (topology !== 'sharded cluster') return ok('source', `${text}: the server shows none`);
  return advice('source', `${text}: each shard has its own`, 'on each shard: rs.printReplicationInfo().');
}
