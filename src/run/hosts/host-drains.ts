/**
 * The part of following that a host does without leading: its workers drain the slots that the leader gives to it, while it copies,
 * builds or compares whatever else there is.
 */

import { Announcements } from '../../common/announcements.ts';
import { formatPlural } from '../../common/format.ts';
import type { Config } from '../../config/config.ts';
import type { RunEvent } from '../../observe/events.ts';
import { explainDatabaseError } from '../../postgres/connection/connection.ts';
import { Session } from '../../postgres/connection/session.ts';
import {
  listHostCollections,
  offerToTakeSlots,
  type HostCollection,
} from '../../postgres/ledger/hosts/host-slots.ts';
import type { HostsKey } from '../../postgres/ledger/hosts/hosts.ts';
import { pollIntervalMs } from '../../postgres/ledger/hosts/poll.ts';
import { findRunById } from '../../postgres/ledger/runs.ts';
import { noSlots } from '../../postgres/ledger/streams/slots.ts';
import { markStopped } from '../../postgres/ledger/streams/stopped-collections.ts';
import type { Changes } from '../../source/changes.ts';
import type { Database } from '../../source/database.ts';
import { atTransformFile, type TransformFile } from '../../transcode/plan.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { primarySession } from '../connections.ts';
import { describeFailure } from '../failure.ts';
import { beginMerging } from '../follow/begin-merging.ts';
import { Drains, countDrains } from '../follow/drains.ts';
import type { Followed } from '../follow/followed.ts';
import type { Workforce } from '../workforce.ts';
import { hostDiffers } from './agreement.ts';

export interface HostDrainsOptions {
  readonly config: Config;
  readonly hostId: string;
  readonly key: HostsKey;
  readonly database: Database;
  readonly changes: Changes;
  readonly workforce: Workforce;
  /** The transform's module as it is on this host. */
  readonly transform: TransformFile | null;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
  /** Whether the leader has assigned connections to this host. */
  readonly isShared: () => boolean;
}

/** How often it looks for changes to merge: no message says that there are any. */
const tickMs = 200;

/** By then the stream has reported that a collection was dropped or replaced, also if the leader was replaced meanwhile. */
const goneLimitMs = 300_000;

/** A stream, as one leader follows it: with the next leader, plans may be others. */
interface FollowedStream {
  readonly streamId: string;
  readonly epoch: number;
  readonly supervisor: Supervisor;
  readonly drains: Drains;
}

export class HostDrains {
  readonly #options: HostDrainsOptions;
  readonly #news = new Announcements();
  readonly #failed = new AbortController();
  #isStopping = false;
  #polledMs = -Infinity;
  #stream: FollowedStream | null = null;
  #slots = 0;
  readonly #goneSinceMs = new Map<Followed, number>();
  readonly #reported = new Set<Followed>();
  readonly #running: Promise<void>;

  constructor(options: HostDrainsOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Aborted with the error if this host cannot follow any more. */
  get failure(): AbortSignal {
    return this.#failed.signal;
  }

  /** Resolves when what is in flight is merged. The slots stay this host's. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#news.announce();
    await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { config, hostId, signal } = this.#options;
    let session: Session | undefined;
    try {
      session = await Session.open(primarySession(config, this.#options), 'retry');
      await session.run((client) => offerToTakeSlots(client, hostId));
      while (!this.#mustStop()) {
        await this.#poll(session);
        const { drains } = this.#stream ?? {};
        drains?.notice();
        await drains?.pump();
        await this.#news.next(tickMs);
      }
    } catch (error) {
      if (!signal.aborted) this.#failed.abort(explainDatabaseError(error, config.postgresUrl));
    } finally {
      await this.#end();
      await session?.close();
    }
  }

  #mustStop(): boolean {
    return this.#isStopping || this.#options.signal.aborted;
  }

  /** Learns which slots this host has. */
  async #poll(session: Session): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#polledMs < pollIntervalMs || !this.#options.isShared()) return;
    this.#polledMs = nowMs;
    const { key, hostId } = this.#options;
    const collections = await session.run((client) => listHostCollections(client, key, hostId));
    const [first] = collections;
    if (first !== undefined) await this.#follow(session, first);
    const stream = this.#stream;
    if (stream === null) return;
    stream.drains.isUrgent = first?.isEnding ?? false;
    for (const one of stream.drains.followed) one.owned = noSlots;
    for (const collection of collections) {
      const one =
        stream.drains.followed.find(({ place }) => place.collectionNo === collection.collectionNo) ??
        (await this.#begin(session, stream, collection));
      if (one === null) continue;
      one.owned = collection.slots;
      this.#requireSameSource(one, nowMs);
    }
    this.#tellSlots(collections.reduce((sum, { slots }) => sum + slots.size, 0));
    for (const one of stream.drains.followed) await this.#tellFailure(session, stream, one);
  }

  /** Begins with a stream, or begins again if another process follows it since. */
  async #follow(session: Session, { streamId, epoch }: HostCollection): Promise<void> {
    if (this.#stream?.streamId === streamId && this.#stream.epoch === epoch) return;
    await this.#end();
    const { config, changes, workforce, signal, hostId } = this.#options;
    const supervisor = await workforce.supervise();
    supervisor.expect(Infinity);
    const drains = new Drains({
      ...{ session, changes, streamId, hostId, filter: config.filter, news: this.#news, signal },
      parallel: () => countDrains(supervisor),
    });
    this.#stream = { streamId, epoch, supervisor, drains };
  }

  async #begin(
    session: Session,
    { streamId, epoch, supervisor, drains }: FollowedStream,
    { collectionNo, collection, runId }: HostCollection,
  ): Promise<Followed | null> {
    const { config, database, transform } = this.#options;
    const run = await session.run((client) => findRunById(client, runId));
    if (run === null) return null;
    const plan = atTransformFile(run.settings.plan, transform);
    const place = { streamId, collectionNo, epoch };
    const source = `${database.name}.${collection}`;
    const followed = beginMerging({ config, supervisor, source, collection, run, place, plan });
    drains.add(followed);
    return followed;
  }

  /** @throws UsageError if this host reads another MongoDB than the leader */
  #requireSameSource(followed: Followed, nowMs: number): void {
    if (!followed.isGone) return;
    const sinceMs = this.#goneSinceMs.get(followed) ?? nowMs;
    this.#goneSinceMs.set(followed, sinceMs);
    if (nowMs - sinceMs <= goneLimitMs) return;
    throw hostDiffers('the leader', [`MONGO_URL has another collection ${followed.source}`]);
  }

  /** The leader reports it, and no host merges the collection any more. */
  async #tellFailure(
    session: Session,
    { streamId, supervisor }: FollowedStream,
    followed: Followed,
  ): Promise<void> {
    const { collection, source, failure } = followed;
    if (failure === null || this.#reported.has(followed)) return;
    this.#reported.add(followed);
    const { config } = this.#options;
    const error = explainDatabaseError(failure, config.postgresUrl);
    // Others have workers that live.
    if (supervisor.hasFailed) throw error;
    const stopped = describeFailure(source, error);
    await session.run((client) => markStopped(client, streamId, collection, stopped));
    this.#tell(`${source} is not merged any more: ${stopped.message}`);
  }

  #tellSlots(slots: number): void {
    if (slots === this.#slots) return;
    this.#slots = slots;
    this.#options.onEvent({ kind: 'host-merging', slots });
  }

  /** Waits for drains in flight. */
  async #end(): Promise<void> {
    const stream = this.#stream;
    if (stream === null) return;
    this.#stream = null;
    await stream.drains.settle();
    for (const { handle } of stream.drains.followed) handle.end();
    const { merged } = stream.drains;
    if (merged > 0) this.#tell(`this host has merged ${formatPlural(merged, 'document')}`);
  }

  #tell(message: string): void {
    this.#options.onEvent({ kind: 'notice', message });
  }
}
