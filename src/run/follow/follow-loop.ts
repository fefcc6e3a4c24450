/**
 * The main loop of following: begins with the copied collections, runs drains and comparisons, and reports progress, as long as
 * there is a collection to follow.
 */

import { Announcements } from '../../common/announcements.ts';
import { collectionOf } from '../../common/namespace.ts';
import { describeSelection } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import type { Failure } from '../../observe/outcome.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { requireUniqueKey } from '../../postgres/follow/key-check.ts';
import { prepareSlots } from '../../postgres/follow/journal.ts';
import { findRunById } from '../../postgres/ledger/runs.ts';
import { StreamEndedError, type StreamRow } from '../../postgres/ledger/streams/stream.ts';
import type { Plan } from '../../transcode/plan.ts';
import type { Changes } from '../../source/changes.ts';
import type { Database } from '../../source/database.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import type { Audience } from '../connections.ts';
import { stopsAll } from '../failure.ts';
import { beginMerging } from './begin-merging.ts';
import type { ChangeReader } from './change-reader.ts';
import { Drains, countDrains } from './drains.ts';
import { FollowStatus } from './follow-status.ts';
import { Generations } from './generations/generations.ts';
import type { FollowLimits } from './limits.ts';
import { SlotSharing } from './slot-sharing.ts';
import type { StoppedCollections } from './stopped.ts';
import { requestOf } from './stream-request.ts';

/** Why following ended: by a cutover, or because all collections have stopped. */
export interface FollowEnd {
  readonly kind: 'cut-over' | 'stopped';
  readonly stopped: readonly Failure[];
}

/** Copies new collections. @returns those that could not be copied @throws errors that stop the others too */
export type CopyNew = (collections: readonly string[], signal: AbortSignal) => Promise<readonly Failure[]>;

export interface FollowLoopOptions extends Audience {
  readonly config: Config;
  readonly database: Database;
  readonly changes: Changes;
  readonly session: Session;
  readonly row: Pick<StreamRow, 'streamId' | 'epoch'>;
  readonly reader: ChangeReader;
  readonly stopped: StoppedCollections;
  readonly limits: FollowLimits;
  readonly supervisor: Supervisor;
  /** Collections that could not be copied. */
  readonly uncopied: readonly Failure[];
  readonly copyNew: CopyNew;
  /** Set if several hosts follow and this one leads: it drains only the slots that it owns. */
  readonly hostId: string | undefined;
}

/** How long the loop waits for a notification. */
const tickMs = 200;

export class FollowLoop {
  readonly #options: FollowLoopOptions;
  readonly #news = new Announcements();
  readonly #drains: Drains;
  readonly #generations: Generations;
  readonly #status: FollowStatus;
  /** Null if one process drains all slots. */
  readonly #sharing: SlotSharing | null;
  /** Collections that are not followed, with the number of changes up to which they are not copied. */
  readonly #leftOut = new Map<string, number>();
  #copying: Promise<void> | null = null;
  /** Aborted with the error of following. */
  readonly #failed = new AbortController();
  #copyFailure: unknown;
  #hasCopyFailed = false;

  constructor(options: FollowLoopOptions) {
    this.#options = options;
    const { config, database, changes, session, row, reader, stopped, supervisor, onEvent, signal } = options;
    const drains = new Drains({
      ...{ session, changes, streamId: row.streamId, filter: config.filter, news: this.#news, signal },
      parallel: () => countDrains(supervisor),
    });
    const generations = new Generations({
      ...{ config, database, changes, supervisor, drains, reader, limits: options.limits, onEvent, signal },
    });
    this.#drains = drains;
    this.#generations = generations;
    const { hostId } = options;
    const key = requestOf(config, database);
    this.#sharing = hostId === undefined ? null : new SlotSharing({ session, row, key, hostId });
    this.#status = new FollowStatus({
      ...{ reader, drains, generations, session, supervisor, onEvent },
      source: `${database.name}.${describeSelection(config)}`,
      url: config.postgresUrl.reveal(),
      listStopped: () => stopped.list(),
    });
  }

  /** @throws the reason of the signal, or the error of following */
  async run(): Promise<FollowEnd> {
    const { reader, uncopied } = this.#options;
    const drains = this.#drains;
    this.#leaveOut(uncopied);
    reader.listener = () => {
      drains.notice();
      this.#news.announce();
    };
    try {
      for (const known of reader.collections) await this.#begin(known);
      this.#generations.start();
      for (;;) {
        const end = await this.#look();
        if (end !== null) return end;
        await this.#continue();
        await this.#news.next(tickMs);
      }
    } catch (error) {
      this.#failed.abort(error);
      // A drain may meet the end of the stream before the reader does.
      if (error instanceof StreamEndedError && error.isCutOver) {
        return { kind: 'cut-over', stopped: this.#options.stopped.list() };
      }
      throw error;
    } finally {
      reader.listener = () => undefined;
      await this.#copying;
      await this.#generations.stop();
      await drains.settle();
      for (const { handle } of drains.followed) handle.end();
    }
  }

  /** @returns why following has ended; null while it continues */
  async #look(): Promise<FollowEnd | null> {
    const { reader, stopped, signal } = this.#options;
    const { followed } = this.#drains;
    signal.throwIfAborted();
    reader.check();
    if (this.#hasCopyFailed) throw this.#copyFailure;
    await stopped.look(followed, reader.collections);
    if (reader.isCutOver) return { kind: 'cut-over', stopped: stopped.list() };
    if (this.#copying === null) this.#copyNew(this.#listNew());
    if (this.#copying !== null) return null;
    const isAnyLeft = followed.some(({ endedBy, failure }) => endedBy === null && failure === null);
    if (isAnyLeft || stopped.list().length === 0) return null;
    return { kind: 'stopped', stopped: stopped.list() };
  }

  #listNew(): string[] {
    const { reader } = this.#options;
    return reader.collections
      .filter(({ runId, endedBy }) => runId === null && endedBy === null)
      .map(({ collection }) => collection)
      .filter((name) => reader.changesOf(name) > (this.#leftOut.get(name) ?? -1));
  }

  /** The other collections are followed meanwhile. */
  #copyNew(collections: readonly string[]): void {
    if (collections.length === 0) return;
    const { reader } = this.#options;
    // An empty collection is not copied until there are more changes of it.
    for (const name of collections) this.#leftOut.set(name, reader.changesOf(name));
    this.#copying = this.#copyAndBegin(collections)
      .catch((error: unknown) => {
        this.#copyFailure = error;
        this.#hasCopyFailed = true;
      })
      .finally(() => {
        this.#copying = null;
        this.#news.announce();
      });
  }

  async #copyAndBegin(names: readonly string[]): Promise<void> {
    const { reader, copyNew } = this.#options;
    this.#leaveOut(await copyNew(names, this.#failed.signal));
    await reader.refresh();
    for (const known of reader.collections) {
      const { collection, runId } = known;
      const isCopied = names.includes(collection) && runId !== null;
      if (!isCopied || this.#leftOut.get(collection) === Infinity) continue;
      this.#leftOut.delete(collection);
      await this.#begin(known);
    }
  }

  #leaveOut(failures: readonly Failure[]): void {
    this.#options.stopped.addUncopied(failures);
    for (const { source } of failures) this.#leftOut.set(collectionOf(source), Infinity);
  }

  async #continue(): Promise<void> {
    const { reader, stopped } = this.#options;
    const drains = this.#drains;
    drains.isUrgent = reader.isEnding;
    await this.#sharing?.share(drains.followed);
    await drains.pump();
    reader.waiting = drains.journalLength;
    // Its changes must not fill the journal, for which others would wait.
    if (reader.isPaused && (await stopped.giveUp())) {
      await reader.refresh();
      drains.notice();
    }
    await this.#status.report();
  }

  /** Begins to follow a copied collection. */
  async #begin({
    collectionNo,
    collection,
    runId,
    endedBy,
  }: ChangeReader['collections'][number]): Promise<void> {
    const { config, database, session, row, supervisor } = this.#options;
    if (runId === null || this.#leftOut.has(collection)) return;
    const run = await session.run((client) => findRunById(client, runId));
    if (run?.isFinished !== true) return;
    const { plan } = run.settings;
    const unmergeable = await this.#findUnmergeable(plan);
    const place = { streamId: row.streamId, collectionNo, epoch: row.epoch };
    const slots = await session.transaction((client) => prepareSlots(client, place));
    const source = `${database.name}.${collection}`;
    const followed = beginMerging({ config, supervisor, source, collection, run, place, plan });
    followed.endedBy = endedBy;
    followed.failure = unmergeable;
    if (this.#sharing === null) followed.owned = slots;
    this.#drains.add(followed);
  }

  /** @returns why rows cannot be merged into a table; null if they can */
  async #findUnmergeable(plan: Plan): Promise<unknown> {
    const { session, signal } = this.#options;
    try {
      await session.run((client) => requireUniqueKey(client, plan));
      return null;
    } catch (error) {
      if (stopsAll(error, signal)) throw error;
      return error;
    }
  }
}
