/** Opens a stream for a start with --follow, or resumes an existing one, before anything else is written. */

import { UsageError } from '../../common/errors.ts';
import { isFromScratch } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import { invoke } from '../../config/invocation.ts';
import { Session } from '../../postgres/connection/session.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import { requireLeading } from '../../postgres/ledger/hosts/hosts.ts';
import { hasLedger, prepareLedger } from '../../postgres/ledger/ledger.ts';
import { lockStream } from '../../postgres/ledger/run-lock.ts';
import { reopenCollections } from '../../postgres/ledger/streams/stopped-collections.ts';
import { listStreamCollections } from '../../postgres/ledger/streams/stream-collections.ts';
import {
  endStream,
  findStream,
  openStream,
  requireEpoch,
  takeOverStream,
  type StreamRow,
} from '../../postgres/ledger/streams/stream.ts';
import type { Changes, ChangeStream } from '../../source/changes.ts';
import type { Database } from '../../source/database.ts';
import { primarySession, type Audience } from '../connections.ts';
import type { Lane } from '../lane.ts';
import type { FollowLimits } from './limits.ts';
import { requestOf } from './stream-request.ts';

export interface OpeningOptions extends Audience {
  readonly config: Config;
  readonly database: Database;
  readonly lane: Lane;
  /** Ends an earlier stream and opens one at the present time, which is not followed until all differences are found. */
  readonly isRepair?: boolean;
  readonly limits?: FollowLimits | undefined;
  /** Set if several hosts follow and this one leads. */
  readonly hosts?: Pick<HostWork, 'hostId'> | undefined;
}

/** A stream of which this process is the only reader. */
export interface OpenedStream {
  readonly changes: Changes;
  readonly stream: ChangeStream;
  readonly row: StreamRow;
  /** For the journal and the position. */
  readonly session: Session;
}

/**
 * Checks that the server supports change streams, and that the user may open them.
 * @throws MigrationError
 */
export async function openFollowed(options: OpeningOptions): Promise<OpenedStream> {
  const { config, database } = options;
  const changes = requireChanges(database);
  refuseClock(config.filter);
  const earlier = await findEarlier(options);
  // Until then, the process before this one may advance the position. A position from before may be lost from the oplog already.
  const known = earlier === null ? null : await takeOver(options, earlier);
  const selection = { wanted: config.mongoCollection, excluded: config.excludeCollections };
  const stream = await changes.openStream(selection, known?.position ?? null);
  let session: Session | undefined;
  try {
    const row = known ?? (await takeOver(options, await openNew(options, stream)));
    // A new stream has no collections yet.
    if (known !== null) await reopen(options, known);
    session = await Session.open({
      ...primarySession(config, options),
      // The journal is written by COPY.
      isPipelined: false,
      applicationName: 'mongo2pg changes',
    });
    return { changes, stream, row, session };
  } catch (error) {
    await session?.close();
    await stream.close();
    throw error;
  }
}

function requireChanges({ changes }: Database): Changes {
  if (changes !== undefined) return changes;
  throw new UsageError('a dump does not change, and cannot be followed', {
    code: 'FOLLOW_NEEDS_SERVER',
    fix: 'leave out --follow, or read from a server with MONGO_URL.',
  });
}

/** The stream to resume, locked; null if there is none, or if it is ended for a repair. */
async function findEarlier({
  config,
  database,
  lane,
  isRepair = false,
}: OpeningOptions): Promise<StreamRow | null> {
  const request = requestOf(config, database);
  const existing = await lane.session.run(async (client) =>
    (await hasLedger(client)) ? await findStream(client, request) : null,
  );
  if (existing === null) return null;
  const { streamId } = existing;
  await lane.lock((client) => lockStream(client, streamId));
  if (config.restart || isRepair) {
    await lane.session.transaction((client) => endStream(client, streamId));
    return null;
  }
  if (existing.isRepair) {
    throw new UsageError('a repair has begun, and is not finished', {
      code: 'REPAIR_UNFINISHED',
      fix: `finish it: ${invoke('repair')}`,
    });
  }
  return existing;
}

async function openNew(
  { config, database, lane, isRepair = false }: OpeningOptions,
  { position }: ChangeStream,
): Promise<StreamRow> {
  const request = requestOf(config, database);
  await prepareLedger(lane.session);
  const row = await lane.session.transaction((client) => openStream(client, request, position, isRepair));
  await lane.lock((client) => lockStream(client, row.streamId));
  return row;
}

/** @returns the stream as earlier processes have left it, with the epoch of this process */
async function takeOver({ lane, hosts }: OpeningOptions, { streamId }: StreamRow): Promise<StreamRow> {
  return await lane.session.transaction(async (client) => {
    if (hosts !== undefined) await requireLeading(client, hosts.hostId);
    return await takeOverStream(client, streamId, hosts !== undefined);
  });
}

/** For collections that are to be copied from scratch. */
async function reopen({ config, lane }: OpeningOptions, row: StreamRow): Promise<void> {
  await lane.session.transaction(async (client) => {
    await requireEpoch(client, row);
    const known = await listStreamCollections(client, row.streamId);
    const names = known.map(({ collection }) => collection);
    const fromScratch = names.filter((name) => isFromScratch(name, config));
    await reopenCollections(client, row, fromScratch);
  });
}

/** A document that stops matching such a filter by the passing of time causes no event. @throws UsageError */
function refuseClock(filter: Uint8Array | undefined): void {
  if (filter === undefined || !Buffer.from(filter).toString('latin1').includes('$$NOW')) return;
  throw new UsageError(
    'FILTER uses the current time ($$NOW): documents that stop matching as time passes cause no change event',
    {
      code: 'FILTER_NOT_FOLLOWABLE',
      fix: 'use a fixed date in the filter.',
    },
  );
}
