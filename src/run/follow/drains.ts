/**
 * Has the changes in the journal read again and merged: slot by slot, several at a time, each slot by one drain after the
 * other. The ledger is what knows: whatever is remembered here is only where to look first.
 */

import type { Announcements } from '../../common/announcements.ts';
import { SourceChangedError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { TimeShare } from '../../common/time-share.ts';
import { listSlotWork, takeChanges, type SlotWork } from '../../postgres/follow/journal.ts';
import { StreamEndedError } from '../../postgres/ledger/streams/stream.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { Changes } from '../../source/changes.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import { isEndOfAll } from '../failure.ts';
import { listAsked, readAsked, type AskedId, type Followed } from './followed.ts';

export interface DrainsOptions {
  readonly session: Session;
  readonly changes: Changes;
  readonly streamId: string;
  readonly signal: AbortSignal;
  readonly filter: Uint8Array | undefined;
  /** How many drains are under way at a time. */
  parallel(): number;
  /** Announced when a drain has ended. */
  readonly news: Announcements;
}

/**
 * Rows that were refused are tried again, all of them, after this; twice as long each time, unless something was merged since:
 * it may have been in their way.
 */
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;

/** Counting what waits costs as long as there is of it: for no more than this share of the time. */
const countShare = 0.1;
const countEveryMs = 200;

export class Drains {
  /** Somebody waits for all that can be merged. */
  isUrgent = false;
  readonly #options: DrainsOptions;
  readonly #followed = new Map<number, Followed>();
  /** By collection and slot, as counted last. */
  #work: readonly SlotWork[] = [];
  readonly #counts = new TimeShare(countShare);
  #isDirty = true;
  readonly #underWay = new Set<Promise<void>>();
  #retriedMs = -Infinity;
  #retryPauseMs = firstRetryMs;
  /** Slots whose refused rows are to be tried again in this round, and which of each slot were tried last. */
  readonly #toRetry = new Set<string>();
  readonly #retriedUpTo = new Map<string, number>();
  /** Rows that were not refused, in all and when refused ones were tried last. */
  #accepted = 0;
  #acceptedBefore = 0;
  #merged = 0;
  #failure: unknown;
  #hasFailed = false;
  #next = 0;

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  add(followed: Followed): void {
    this.#followed.set(followed.place.collectionNo, followed);
    this.#isDirty = true;
  }

  get followed(): readonly Followed[] {
    return [...this.#followed.values()];
  }

  /** Documents that were merged. */
  get merged(): number {
    return this.#merged;
  }

  /** As counted last, of what is followed. */
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

  /** As counted last: all changes in the journal, also those of what is not followed. */
  get journalLength(): number {
    return this.#work.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  waitingOf(collectionNo: number): number {
    return this.#work
      .filter((slot) => slot.collectionNo === collectionNo)
      .reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** There are new changes. */
  notice(): void {
    this.#isDirty = true;
  }

  /** Begins what can be begun. @throws what a drain failed with */
  async pump(): Promise<void> {
    this.#check();
    await this.#count();
    this.#begin();
  }

  /** Lets drains end that are under way. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  #check(): void {
    if (this.#hasFailed) throw this.#failure;
  }

  #isAtWork(collectionNo: number): boolean {
    const followed = this.#followed.get(collectionNo);
    return followed?.endedBy === null && !followed.isGone && followed.failure === null;
  }

  #hasRoom(): boolean {
    return this.#underWay.size < this.#options.parallel();
  }

  async #count(): Promise<void> {
    if (!this.#counts.isDue(countEveryMs) || (!this.#isDirty && this.#underWay.size > 0)) return;
    this.#isDirty = false;
    const { session, streamId } = this.#options;
    this.#work = await this.#counts.do(() => session.run((client) => listSlotWork(client, streamId)));
  }

  /** Slots in turn, so that none waits for ever. */
  #begin(): void {
    this.#planRetries();
    const total = this.#work.length;
    for (let step = 0; step < total && this.#hasRoom(); step++) {
      const slot = this.#work[(this.#next + step) % total];
      const followed = slot === undefined ? undefined : this.#followed.get(slot.collectionNo);
      if (slot === undefined || followed === undefined || !this.#isAtWork(slot.collectionNo)) continue;
      if (followed.busy.has(slot.slot)) continue;
      const isRetry = slot.refused > 0 && this.#toRetry.delete(nameOf(slot));
      if (slot.waiting === slot.refused && !isRetry) continue;
      this.#start(followed, slot, isRetry);
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

  #start(followed: Followed, work: SlotWork, isRetry: boolean): void {
    const { slot } = work;
    followed.busy.add(slot);
    const drain = this.#drainSlot(followed, work, isRetry)
      .catch((error: unknown) => {
        if (error instanceof StreamEndedError || isEndOfAll(error, this.#options.signal)) {
          if (!this.#hasFailed) this.#failure = error;
          this.#hasFailed = true;
        } else {
          followed.failure ??= error;
        }
      })
      .finally(() => {
        followed.busy.delete(slot);
        this.#underWay.delete(drain);
        this.#options.news.announce();
      });
    this.#underWay.add(drain);
  }

  /** Takes what fits into a drain of the slot, reads it again, and has it merged. */
  async #drainSlot(followed: Followed, work: SlotWork, isRetry: boolean): Promise<void> {
    const { session } = this.#options;
    const { slot } = work;
    const limit = followed.limitOf(slot);
    const refusedAfter = isRetry ? (this.#retriedUpTo.get(nameOf(work)) ?? 0) : null;
    const taken = await session.run((client) =>
      takeChanges(client, followed.place, slot, { limit, refusedAfter }),
    );
    await reachFailpoint('primary-before-drain');
    // Where there are more than fit into a drain, the next one goes on, and then from the beginning.
    if (isRetry) this.#retriedUpTo.set(nameOf(work), taken?.rows[limit - 1]?.seq ?? 0);
    if (taken === null || taken.rows.length === 0) {
      this.#isDirty = true;
      if (!isRetry) this.#forget(work, { new: Infinity, refused: 0 });
      if (!isRetry) followed.singly.delete(slot);
      return;
    }
    const asked = listAsked(taken);
    const read = await this.#readDocuments(followed, asked, taken.time);
    // Its rows stay, as those of what was copied.
    if (read === null) return;
    const { ids, bytes } = read;
    const outcome = await followed.merge(slot, taken, ids, bytes);
    await reachFailpoint('primary-after-drain');
    // What a crash took back, or another has done, is still counted here: the slot's next drain finds out how it stands.
    if (outcome.isStale) return;
    this.#merged += ids.length;
    this.#accepted += ids.length - outcome.refused;
    const done = ids.reduce((sum, { seqs }) => sum + seqs.length, 0);
    if (isRetry) this.#forget(work, { new: 0, refused: done - outcome.refused });
    else this.#forget(work, { new: done, refused: -outcome.refused });
  }

  /** @returns those of the ids that fit into one answer, with their documents; null when the collection is gone */
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

  /** @param done of the changes that were not tried yet, and of those that were refused */
  #forget({ slot, collectionNo }: SlotWork, done: { readonly new: number; readonly refused: number }): void {
    this.#work = this.#work.map((each) => {
      if (each.slot !== slot || each.collectionNo !== collectionNo) return each;
      const refused = Math.max(0, each.refused - done.refused);
      return { ...each, refused, waiting: refused + Math.max(0, each.waiting - each.refused - done.new) };
    });
    this.#isDirty ||= this.#work.every(({ waiting }) => waiting === 0);
  }
}

function nameOf({ collectionNo, slot }: SlotWork): string {
  return `${collectionNo} ${slot}`;
}
