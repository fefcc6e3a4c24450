/**
 * Begins following again after the position was lost, or for a copy that was not followed: opens a stream at the present time,
 * compares all rows with their documents, and enqueues the ids of differing documents in the journal. The next start with --follow
 * merges only these.
 */

import type { Config } from '../../config/config.ts';
import { MigrationError, SourceChangedError, UsageError } from '../../common/errors.ts';
import type { Failure } from '../../observe/outcome.ts';
import type { VerificationSummary } from '../../observe/verification-summary.ts';
import { Listeners, type JobListener } from '../../observe/listeners.ts';
import { collectionOf } from '../../common/namespace.ts';
import { formatPlural } from '../../common/format.ts';
import { namesSeveral } from '../../config/collection-choice.ts';
import { invoke } from '../../config/invocation.ts';
import { requireUniqueKey } from '../../postgres/follow/key-check.ts';
import { prepareSlots } from '../../postgres/follow/journal.ts';
import { assignStreamRun } from '../../postgres/ledger/streams/stream-collections.ts';
import { finishRepair } from '../../postgres/ledger/streams/stream.ts';
import type { Run } from '../../postgres/ledger/runs.ts';
import { giveUpCollections } from '../../postgres/ledger/streams/stopped-collections.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { upgradeLedger } from '../../postgres/ledger/ledger.ts';
import { lockTable } from '../../postgres/ledger/run-lock.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import { withPace } from '../pace/pace-keeper.ts';
import { openSource } from '../connections.ts';
import { withLane } from '../lane.ts';
import { verifyWith } from '../verify/verify.ts';
import { Follower } from './follower.ts';

export interface RepairOptions {
  /** Called in this order. */
  readonly listeners: readonly JobListener[];
  readonly signal: AbortSignal;
}

/**
 * @returns the differences of each collection, which the next start with --follow copies
 * @throws MigrationError; with several collections, after the others are repaired
 */
export async function repair(
  config: Config,
  { listeners, signal }: RepairOptions,
): Promise<readonly VerificationSummary[]> {
  const { onEvent } = new Listeners(listeners);
  const audience = { onEvent, signal };
  const say = (message: string): void => {
    onEvent({ kind: 'notice', message });
  };
  return await withLane(config, audience, async (lane) => {
    await lane.session.run(requireServer);
    await upgradeLedger(lane.session);
    const database = await openSource(config, audience);
    try {
      const follower = await Follower.open({ config, database, lane, onEvent, signal, isRepair: true });
      try {
        const repairOf = async (run: Run): Promise<FollowedCollection> => {
          const { plan, source } = run.settings;
          const collection = collectionOf(source);
          if (plan.transform !== undefined && plan.transform.keepsId !== true) {
            throw begunUnfollowed(source, config);
          }
          const opened = await database.open(collection, undefined, follower.time);
          if (opened.identity !== run.settings.collectionId) throw replaced(source, config);
          await lane.lock((client) => lockTable(client, plan));
          await lane.session.run((client) => requireUniqueKey(client, plan));
          await lane.session.transaction((client) =>
            assignStreamRun(client, follower.streamId, collection, run.runId),
          );
          const place = await follower.placeOf(collection);
          await lane.session.transaction((client) => prepareSlots(client, place));
          return place;
        };
        const both = AbortSignal.any([signal, follower.failure]);
        const { session } = lane;
        const work = `repairing ${database.name}`;
        const paced = { config, database, session, work, onEvent, signal: both };
        const { summaries, failures } = await withPace(paced, (source) =>
          verifyWith(config, {
            ...{ session, database: source, leftOut: undefined, onEvent, signal: both, repairOf },
          }),
        );
        const [failure] = failures;
        if (failure !== undefined && summaries.length === 0) throw incomplete(failures, failure);
        await lane.session.transaction(async (client) => {
          const stopped = failures.map(({ source, message }) => ({
            collection: collectionOf(source),
            reason: message,
          }));
          // Some of their differences are not in the journal.
          await giveUpCollections(client, follower.streamId, stopped);
          await finishRepair(client, follower.streamId);
        });
        for (const { source, missing, different, extra, extraChildRows } of summaries) {
          const again = formatPlural(missing + different, 'document');
          const deleted = formatPlural(extra + extraChildRows, 'row');
          say(`${source}: ${again} to copy again; deleted ${deleted} without a document`);
        }
        say(`repaired: ${invoke('start', '--follow')} copies these documents, and follows`);
        if (failure !== undefined) throw incomplete(failures, failure);
        return summaries;
      } catch (error) {
        throw follower.failure.aborted && !signal.aborted ? follower.failure.reason : error;
      } finally {
        await follower.close();
      }
    } finally {
      await database.close();
    }
  });
}

/** @param first of the failures, whose exit code and fix are used */
function incomplete(failures: readonly Failure[], { message, exitCode, code, fix }: Failure): MigrationError {
  const names = failures.map(({ source }) => source).join(', ');
  return new MigrationError(exitCode, `not repaired: ${names}: ${message}`, { code, fix });
}

function begunUnfollowed(source: string, { mongoCollection }: Config): UsageError {
  const restart = namesSeveral(mongoCollection) ? `--restart-only ${collectionOf(source)}` : '--restart';
  return new UsageError(
    `${source} was copied by a transform without --follow: a row may not have the _id of its document`,
    {
      code: 'TRANSFORM_NOT_FOLLOWED',
      fix: `copy it from scratch: ${invoke('start', `--follow ${restart}`)}.`,
    },
  );
}

function replaced(source: string, { mongoCollection }: Config): MigrationError {
  const restart = namesSeveral(mongoCollection) ? `--restart-only ${collectionOf(source)}` : '--restart';
  return new SourceChangedError(
    `${source} is not the collection that was copied: it was dropped and recreated since`,
    {
      code: 'SOURCE_REPLACED',
      fix: `copy it from scratch: ${invoke('start', `--follow ${restart}`)}.`,
    },
  );
}
