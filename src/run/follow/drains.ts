/**
 * Drains the journal: reads changed documents again, and has them merged. Several of the owned slots at a time, one drain at a time
 * for each slot. The ledger is authoritative; the state here only orders the slots.
 */

import type { Announcements } from '../../common/announcements.ts';
import { SourceChangedError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { systemClock, type Clock } from '../../common/clock.ts';
import { TimeShare } from '../../common/time-share.ts';
import { listSlotWork, takeChanges, type SlotWork } from '../../postgres/follow/journal.ts';
import type { OwnedSlot } from '../../postgres/ledger/streams/slots.ts';
import { StreamEndedError } from '../../postgres/ledger/streams/stream.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { Changes } from '../../source/changes.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { stopsAll } from '../failure.ts';
import { listAsked, readAsked, type AskedId, type Followed } from './followed.ts';

/** Drains per connection of the workers: one is merged while the documents of the other are read. */
const drainsPerWorker = 2;

/** How many drains are in flight at most. */
export function countDrains({ size, connections }: Pick<Supervisor, 'size' | 'connections'>): number {
  return size * connections * drainsPerWorker;
}

export interface DrainsOptions {
  readonly session: Session;
  readonly changes: Changes;
  readonly streamId: string;
  /** Set on a host that does not lead: only changes in slots of this host are counted. */
  readonly hostId?: string;
  readonly signal: AbortSignal;
  readonly filter: Uint8Array | undefined;
  /** Maximum number of drains in flight. */
  parallel(): number;
  /** Notified when a drain has ended. */
  readonly news: Announcements;
  readonly clock?: Clock;
}

/**
 * Pause after which all rejected rows are retried. It doubles each time, unless something was merged since, which may have resolved
 * a conflict.
 */
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;

/** Counting pending changes takes time in proportion to their number. It may take at most this share of the time. */
const countShare = 0.1;
const countEveryMs = 200;

export class Drains {
  /** Whether a cutover waits for the last changes. */
  isUrgent = false;
  readonly #options: DrainsOptions;
  readonly #followed = new Map<number, Followed>();
  /** By collection and slot, as last counted. */
  #work: readonly SlotWork[] = [];
  readonly #counts: TimeShare;
  #isDirty = true;
  readonly #inFlight = new Set<Promise<void>>();
  #retriedMs = -Infinity;
  #retryPauseMs = firstRetryMs;
  /** Slots whose rejected rows are to be retried in this round, and the last retried change of each slot. */
  readonly #toRetry = new Set<string>();
  readonly #retriedUpTo = new Map<string, number>();
  /** Accepted rows: in total, and at the last retry of rejected ones. */
  #accepted = 0;
  #acceptedBefore = 0;
  #merged = 0;
  #failure: unknown;
  #hasFailed = false;
  #next = 0;

  constructor(options: DrainsOptions) {
    this.#options = options;
    this.#counts = new TimeShare(countShare, true, options.clock ?? systemClock);
  }

  add(followed: Followed): void {
    this.#followed.set(followed.place.collectionNo, followed);
    this.#isDirty = true;
  }

  get followed(): readonly Followed[] {
    return [...this.#followed.values()];
  }

  /** Number of merged documents. */
  get merged(): number {
    return this.#merged;
  }

  /** As last counted, for followed collections. */
  get waiting(): { readonly changes: number; readonly refused: number; readonly oldest: ClusterTime | null } {
    const work = this.#work.filter(({ collectionNo }) => this.#isAtWork(collectionNo));
    const changes = work.reduce((sum, { waiting }) => sum + waiting, 0);
    const refused = work.reduce((sum, slot) => sum + slot.refused, 0);
    const oldest = work.reduce<ClusterTime | null>(
      (first, slot) => (first === null || slot.oldest < first ? slot.oldest : first),
      null,
    );
    return { changes, refused, oldest };
  }

  /** As last counted: all changes in the journal, also of collections that are not followed. */
  get journalLength(): number {
    return this.#work.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  waitingOf(collectionNo: number): number {
    return this.#work
      .filter((slot) => slot.collectionNo === collectionNo)
      .reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** To be called when there are new changes. */
  notice(): void {
    this.#isDirty = true;
  }

  /** Starts drains as far as possible. @throws the error of a failed drain */
  async pump(): Promise<void> {
    this.#check();
    await this.#count();
    this.#begin();
  }

  /** Waits for drains in flight. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#inFlight);
  }

  #check(): void {
    if (this.#hasFailed) throw this.#failure;
  }

  #isAtWork(collectionNo: number): boolean {
    const followed = this.#followed.get(collectionNo);
    return followed?.endedBy === null && !followed.isGone && followed.failure === null;
  }

  #hasRoom(): boolean {
    return this.#inFlight.size < this.#options.parallel();
  }

  async #count(): Promise<void> {
    if (!this.#counts.isDue(countEveryMs) || (!this.#isDirty && this.#inFlight.size > 0)) return;
    this.#isDirty = false;
    const { session, streamId, hostId } = this.#options;
    const { work, tookMs } = await session.run((client) => listSlotWork(client, streamId, hostId));
    this.#work = work;
    this.#counts.done(tookMs);
  }

  /** Takes slots in turn, so that none starves. */
  #begin(): void {
    this.#planRetries();
    const total = this.#work.length;
    for (let step = 0; step < total && this.#hasRoom(); step++) {
      const slot = this.#work[(this.#next + step) % total];
      const followed = slot === undefined ? undefined : this.#followed.get(slot.collectionNo);
      if (slot === undefined || followed === undefined || !this.#isAtWork(slot.collectionNo)) continue;
      const epoch = followed.owned.get(slot.slot);
      if (epoch === undefined || followed.busy.has(slot.slot)) continue;
      const isRetry = slot.refused > 0 && this.#toRetry.delete(nameOf(slot));
      if (slot.waiting === slot.refused && !isRetry) continue;
      this.#start(followed, { ...slot, epoch }, isRetry);
      this.#next = (this.#next + step + 1) % total;
    }
  }

  #planRetries(): void {
    const refused = this.#work.filter((slot) => slot.refused > 0);
    const nowMs = performance.now();
    const hasNews = this.#accepted > this.#acceptedBefore;
    if (refused.length === 0 || hasNews || this.isUrgent) this.#retryPauseMs = firstRetryMs;
    if (refused.length === 0 || nowMs - this.#retriedMs < this.#retryPauseMs) return;
    for (const slot of refused) this.#toRetry.add(nameOf(slot));
    this.#retriedMs = nowMs;
    this.#acceptedBefore = this.#accepted;
    this.#retryPauseMs = Math.min(longestRetryMs, this.#retryPauseMs * 2);
  }

  #start(followed: Followed, work: OwnedWork, isRetry: boolean): void {
    const { slot } = work;
    followed.busy.add(slot);
    const drain = this.#drainSlot(followed, work, isRetry)
      .catch((error: unknown) => {
        if (error instanceof StreamEndedError || stopsAll(error, this.#options.signal)) {
          if (!this.#hasFailed) this.#failure = error;
          this.#hasFailed = true;
        } else {
          followed.failure ??= error;
        }
      })
      .finally(() => {
        followed.busy.delete(slot);
        this.#inFlight.delete(drain);
        this.#options.news.announce();
      });
    this.#inFlight.add(drain);
  }

  /** Takes changes of a slot, up to the size of a drain, reads the documents, and has them merged. */
  async #drainSlot(followed: Followed, work: OwnedWork, isRetry: boolean): Promise<void> {
    const { session } = this.#options;
    const { slot } = work;
    const limit = followed.limitOf(slot);
    const refusedAfter = isRetry ? (this.#retriedUpTo.get(nameOf(work)) ?? 0) : null;
    const taken = await session.run((client) =>
      takeChanges(client, followed.place, work, { limit, refusedAfter }),
    );
    await reachFailpoint('primary-before-drain');
    // If there are more than fit into a drain, the next drain continues after them, and at the end starts over.
    if (isRetry) this.#retriedUpTo.set(nameOf(work), taken?.rows[limit - 1]?.seq ?? 0);
    if (taken === null || taken.rows.length === 0) {
      this.#isDirty = true;
      if (!isRetry) this.#forget(work, { new: Infinity, refused: 0 });
      if (!isRetry) followed.singly.delete(slot);
      return;
    }
    const asked = listAsked(taken);
    const read = await this.#readDocuments(followed, asked, taken.time);
    // The rows of a dropped collection stay in the table.
    if (read === null) return;
    const { ids, bytes } = read;
    const outcome = await followed.merge(work, taken, ids, bytes);
    await reachFailpoint('primary-after-drain');
    // The count here may be wrong after a crash of Postgres or a takeover. The next drain of the slot corrects it.
    if (outcome.isStale) return;
    this.#merged += ids.length;
    this.#accepted += ids.length - outcome.refused;
    const done = ids.reduce((sum, { seqs }) => sum + seqs.length, 0);
    if (isRetry) this.#forget(work, { new: 0, refused: done - outcome.refused });
    else this.#forget(work, { new: done, refused: -outcome.refused });
  }

  /** @returns the ids whose documents fit into one reply, with the documents; null if the collection was dropped */
  async #readDocuments(
    followed: Followed,
    asked: readonly AskedId[],
    time: ClusterTime,
  ): Promise<{ readonly ids: readonly AskedId[]; readonly bytes: Uint8Array } | null> {
    const { changes, filter } = this.#options;
    try {
      return await readAsked(changes, followed, asked, time, filter);
    } catch (error) {
      if (!(error instanceof SourceChangedError)) throw error;
      followed.isGone = true;
      return null;
    }
  }

  /** @param done number of new changes, and of rejected ones */
  #forget({ slot, collectionNo }: SlotWork, done: { readonly new: number; readonly refused: number }): void {
    this.#work = this.#work.map((each) => {
      if (each.slot !== slot || each.collectionNo !== collectionNo) return each;
      const refused = Math.max(0, each.refused - done.refused);
      return { ...each, refused, waiting: refused + Math.max(0, each.waiting - each.refused - done.new) };
    });
    this.#isDirty ||= this.#work.every(({ waiting }) => waiting === 0);
  }
}

/** Of a slot that this process or host owns. */
type OwnedWork = SlotWork & OwnedSlot;

function nameOf({ collectionNo, slot }: SlotWork): string {
  return `${collectionNo} ${slot}`;
}
