/**
 * Takes a new start of following where the old one is lost, or never was: opens a stream from now on, compares all rows with
 * their documents, and puts the ids of what differs into the journal. The next start with --follow merges only these.
 */

import type { Config } from '../../config/config.ts';
import { MigrationError, SourceChangedError } from '../../common/errors.ts';
import type { Failure } from '../../observe/events.ts';
import { formatPlural } from '../../common/format.ts';
import { invoke } from '../../config/invocation.ts';
import { requireUniqueKey } from '../../postgres/follow/key-check.ts';
import { prepareSlots } from '../../postgres/follow/journal.ts';
import { assignStreamRun, finishRepair } from '../../postgres/ledger/streams.ts';
import type { Run } from '../../postgres/ledger/runs.ts';
import { requireServer } from '../../postgres/connection/server-check.ts';
import { upgradeLedger } from '../../postgres/ledger/ledger.ts';
import { lockTable } from '../../postgres/ledger/run-lock.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import { openSource, type Audience } from '../connections.ts';
import { withLane } from '../lane.ts';
import { verifyWith } from '../verify/verify.ts';
import { Follower } from './follower.ts';

export interface RepairOptions extends Audience {
  readonly say: (message: string) => void;
}

/** @throws MigrationError */
export async function repairAll(config: Config, options: RepairOptions): Promise<void> {
  const { onEvent, signal, say } = options;
  await withLane(config, options, async (lane) => {
    await lane.session.run(requireServer);
    await upgradeLedger(lane.session);
    const database = await openSource(config, options);
    try {
      const follower = await Follower.open({ config, database, lane, onEvent, signal, isRepair: true });
      try {
        const repairOf = async (run: Run): Promise<FollowedCollection> => {
          const { plan, source } = run.settings;
          const collection = source.slice(source.indexOf('.') + 1);
          const opened = await database.open(collection, undefined, follower.time);
          if (opened.identity !== run.settings.collectionId) throw replaced(source);
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
        const { summaries, failures } = await verifyWith(config, {
          ...{ session: lane.session, database, leftOut: undefined, onEvent, signal: both, repairOf },
        });
        const [failure] = failures;
        if (failure !== undefined) throw incomplete(failure);
        await lane.session.transaction((client) => finishRepair(client, follower.streamId));
        for (const { source, missing, different, extra, extraChildRows } of summaries) {
          const again = formatPlural(missing + different, 'document');
          const deleted = formatPlural(extra + extraChildRows, 'row');
          say(`${source}: ${again} to be copied again, ${deleted} of no document deleted`);
        }
        say(`a new start is taken: ${invoke('start', '--follow')} copies these, and follows`);
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

function incomplete({ source, message, exitCode, code }: Failure): MigrationError {
  return new MigrationError(exitCode, `${source} cannot be repaired: ${message}`, {
    code,
    fix: 'leave it out with EXCLUDE_COLLECTIONS, or copy all from scratch: --follow --restart.',
  });
}

function replaced(source: string): MigrationError {
  return new SourceChangedError(
    `${source} is not the collection that was copied: it was dropped and made since`,
    {
      code: 'SOURCE_REPLACED',
      fix: `copy it from scratch: ${invoke('start', '--follow --restart')}.`,
    },
  );
}
