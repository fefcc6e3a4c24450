/** Copies one collection or several: connects to both sides, starts the workers, and migrates each collection. */

import { UsageError } from '../../common/errors.ts';
import { describeSelection, isChosen, listUnmatched, namesSeveral } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import type { Failure, Outcome } from '../../observe/outcome.ts';
import { Listeners } from '../../observe/listeners.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { upgradeLedger } from '../../postgres/ledger/ledger.ts';
import { findCutover, type Cutover } from '../../postgres/ledger/streams/cutover.ts';
import { openSource, requireNode } from '../connections.ts';
import type { CopyNew } from '../follow/follow-loop.ts';
import { Follower } from '../follow/follower.ts';
import { StoppedCollections } from '../follow/stopped.ts';
import { requestOf } from '../follow/stream-request.ts';
import type { JobOptions, MigrateOptions } from './options.ts';
import { joinResults, nothing, type JobResult } from './result.ts';
import { withLane, type Lane } from '../lane.ts';
import { withPace } from '../pace/pace-keeper.ts';
import { readScripts, ScriptRunner } from './scripts.ts';
import { SelectionCopier } from './selection-copier.ts';
import { chooseSize, Workforce } from '../workforce.ts';

/**
 * Migrates the collections that the config names. The servers at its URLs must be running.
 * @throws MigrationError with the exit code of the side that failed
 */
export async function migrate(config: Config, options: MigrateOptions): Promise<Outcome> {
  const startedMs = performance.now();
  const listeners = new Listeners(options.listeners);
  const { onEvent } = listeners;
  const audience = { onEvent, signal: options.signal };
  const scripts = await readScripts(config);
  return await withLane(config, audience, async (lane) => {
    await lane.session.run(requireServer);
    await requireNode(config, lane.session, options.signal);
    const size = await chooseSize(config, lane.session, onEvent, options.share);
    const workforce = new Workforce(config, options.pools, size, audience);
    try {
      const upgrading = upgradeLedger(lane.session);
      // Awaited below: the source is opened at the same time.
      upgrading.catch(() => undefined);
      const database = await openSource(config, audience);
      try {
        await upgrading;
        const sourceDb = database.name;
        const runner = new ScriptRunner({ config, scripts, sourceDb, isTrial: options.isTrial, audience });
        await runner.runBefore();
        const work = `copying ${sourceDb}.${describeSelection(config)}`;
        const paced = { ...audience, config, database, session: lane.session, work };
        const result = await withPace(paced, (source) =>
          execute({ ...options, config, listeners, database: source, workforce, size }, lane),
        );
        await workforce.dismiss();
        await runner.runAfter(result.failures.length);
        return { ...result, totalMs: performance.now() - startedMs };
      } finally {
        await database.close();
      }
    } finally {
      await workforce.kill();
    }
  });
}

/** @param lane for everything that is not done concurrently */
async function execute(options: JobOptions, lane: Lane): Promise<JobResult> {
  await requireRestartable(options);
  const { config, database, listeners, signal, limits, hosts } = options;
  if (!config.follow) return await new SelectionCopier(options).copyAll(lane);
  const { onEvent } = listeners;
  const cutover = await findCutoverOfFormer(options, lane);
  if (cutover !== null) return { ...nothing, failures: await finishForFormer(options, lane, cutover) };
  const follower = await Follower.open({ config, database, lane, onEvent, signal, limits, hosts });
  try {
    // A copy is useless if changes made during it are lost.
    const both = AbortSignal.any([signal, follower.failure]);
    return await copyAndFollow({ ...options, signal: both, follower, isTrial: false }, lane);
  } catch (error) {
    throw follower.failure.aborted && !signal.aborted ? follower.failure.reason : error;
  } finally {
    await follower.close();
  }
}

/** Not null if the leader before was lost between the cutover and its own end: no stream must be opened again. */
async function findCutoverOfFormer(
  { config, database, ledSince }: JobOptions,
  { session }: Lane,
): Promise<Cutover | null> {
  if (ledSince === undefined) return null;
  const cutover = await session.run((client) => findCutover(client, requestOf(config, database)));
  return cutover !== null && cutover.cutOverAt >= ledSince ? cutover : null;
}

/** @returns what the leader before would have ended with */
async function finishForFormer(
  { config, database, listeners: { onEvent } }: JobOptions,
  { session }: Lane,
  { streamId }: Cutover,
): Promise<readonly Failure[]> {
  const message = 'the leader before was lost after the cutover: nothing is left to follow';
  onEvent({ kind: 'notice', message });
  const postgresUrl = config.postgresUrl.reveal();
  const stopped = new StoppedCollections({ session, streamId, database, postgresUrl, onEvent });
  await stopped.recall();
  return stopped.list();
}

/** Copies, then follows until the cutover. Collections that appear meanwhile are copied while the others are followed. */
async function copyAndFollow(
  options: JobOptions & { readonly follower: Follower },
  lane: Lane,
): Promise<JobResult> {
  const { config, database, listeners, signal, workforce, follower } = options;
  const { onEvent } = listeners;
  let result = await new SelectionCopier(options).copyAll(lane);
  // The others are followed even if some could not be copied.
  if (result.failures.length > 0 && result.summaries.length + result.copiedBefore.length === 0) return result;
  const copyNew: CopyNew = async (collections, isOver) => {
    if (!namesSeveral(config.mongoCollection)) return [];
    // Building an index on the lane of the drains would block them.
    const both = AbortSignal.any([signal, isOver]);
    const beside = new SelectionCopier({ ...options, signal: both });
    const copied = await withLane(
      config,
      { onEvent, signal: both },
      (ownLane) => beside.copySeveral(lane, { collections, lane: ownLane }),
      'retry',
    );
    result = joinResults([result, copied]);
    return copied.failures;
  };
  const end = await follower.follow(await workforce.supervise(), { uncopied: result.failures, copyNew });
  if (end.kind === 'cut-over') {
    const left = end.stopped.map(({ source }) => source);
    const selected = `${database.name}.${describeSelection(config)}`;
    onEvent({ kind: 'cut-over', source: selected, leftOut: left });
  }
  return { ...result, failures: end.stopped };
}

/** @throws UsageError if RESTART_ONLY names something that is not a chosen collection */
async function requireRestartable({ config, database }: JobOptions): Promise<void> {
  const { mongoCollection, excludeCollections, restartOnly } = config;
  if (restartOnly === '') return;
  const names = (await database.listCollections()).map(({ name }) => name);
  const chosen = names.filter((name) => isChosen(name, mongoCollection, excludeCollections));
  const unmatched = listUnmatched(restartOnly, chosen);
  if (unmatched.length === 0) return;
  throw new UsageError(`RESTART_ONLY names ${unmatched.join(', ')}, which is none of the collections`, {
    code: 'RESTART_UNKNOWN',
    fix: `there are: ${chosen.sort().join(', ')}.`,
  });
}
