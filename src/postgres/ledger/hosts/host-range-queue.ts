/**
 * Ranges that several hosts share, for the readers of one of them: those of a copy, or of a verification.
 *
 * A range:   waiting (a job in the queue) ──take()──→ owned by this host ──read to its end──→ settling ──last ack──→ read
 *                ↑__ released: the host left, or was declared dead _____________________________|
 * Invariants
 * - a range is recorded as read only when all its batches are acked: until then it belongs to its host, and is released with
 *   the host;
 * - if the answer to a `take` is lost, the repeated `take` finds the range that the ledger gave to this host.
 */

import type pg from 'pg';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import { GroupedRequests } from '../../../common/grouped-requests.ts';
import type { Batch, Range } from '../../../source/page.ts';
import type { RangeQueue } from '../../../source/reading/range-queue.ts';
import type { Session } from '../../connection/session.ts';
import { untilNextPoll } from './poll.ts';

/** How much of a range was read and settled. */
interface Count {
  readonly range: RangeOfHost;
  /** Documents submitted to the workers. */
  read: number;
  /** Of these, documents that are not acked yet. */
  unsettled: number;
  /** Set once the range is read to its end. */
  end: { readonly last: Uint8Array | null } | undefined;
}

type RangeOfHost = Pick<Range, 'rangeNo' | 'epoch'>;

/** How many ranges are not read yet. */
export interface RangesLeft {
  /** Not read to their end. */
  readonly unread: number;
  /** Of these, ranges that no host has taken. */
  readonly waiting: number;
}

/** What the ledger has of these ranges. */
export interface SharedRanges {
  /**
   * Begins the transaction for `findUnknown` and `take`.
   * @returns how many ranges this host may take at a time: fewer if few wait, so that they suffice for all hosts
   * @throws SupersededError if this host was declared dead
   */
  beginTaking(client: pg.Client): Promise<number>;
  /** @returns at most `count` waiting ranges, which this host now owns */
  take(client: pg.Client, count: number): Promise<Range[]>;
  /** Ranges that this host owns without knowing it, since the answer to its take was lost. */
  findUnknown(client: pg.Client, known: readonly number[]): Promise<Range[]>;
  /** See `RangeQueue`. To be called in a transaction. */
  split(client: pg.Client, range: Range, cut: Uint8Array): Promise<Range>;
  /** Records that all of a range was read and acked. @throws SupersededError if this host does not own it any more */
  finish(client: pg.Client, range: RangeOfHost, end: RangeEnd): Promise<void>;
  /** It is recorded as finished: what this host keeps of it can go. */
  forget?(rangeNo: number): void;
  countLeft(client: pg.Client): Promise<RangesLeft>;
  /** Of all hosts; absent if there is no limit. */
  countDeadLetters?(client: pg.Client): Promise<number>;
}

export interface RangeEnd {
  /** The position of its last document; null if it had none. */
  readonly last: Uint8Array | null;
  /** How many documents were read in it. */
  readonly documents: number;
}

export interface HostRangeQueueOptions {
  readonly session: Session;
  readonly ranges: SharedRanges;
  /** Whether to wait until every range is read, by whichever host. Only the leader does; others wait while any is left to take. */
  readonly waitsForAll: boolean;
}

export class HostRangeQueue implements RangeQueue {
  readonly #options: HostRangeQueueOptions;
  /** For the ranges that this host owns, by number. */
  readonly #counts = new Map<number, Count>();
  #writing: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  /** Of the readers of this host, in as few transactions as possible: where PostgreSQL is far, each takes long. */
  readonly #takes = new GroupedRequests((count) => this.#takeSeveral(count));
  #untilMore: Promise<boolean> | undefined;
  /** Aborted, and replaced, when this host has finished a range. */
  #finish = new AbortController();
  /** How many ranges this host has read to their end. */
  finished = 0;
  /** Of all hosts, when a range was last taken or waited for. */
  deadLetters = 0;

  constructor(options: HostRangeQueueOptions) {
    this.#options = options;
  }

  async take(): Promise<Range | null> {
    this.#requireNoFailure();
    return await this.#takes.request();
  }

  async #takeSeveral(count: number): Promise<Range[]> {
    const { session, ranges } = this.#options;
    let isRepeated = false;
    const taken = await session.transactionBegunBy(async (client) => {
      const share = await ranges.beginTaking(client);
      const lost = isRepeated ? await ranges.findUnknown(client, [...this.#counts.keys()]) : [];
      isRepeated = true;
      const wanted = Math.min(share, count - lost.length);
      const more = wanted > 0 ? await ranges.take(client, wanted) : [];
      await reachFailpoint('host-before-take-commit');
      return [...lost, ...more];
    });
    for (const range of taken) this.#own(range);
    await this.#countDeadLetters();
    await reachFailpoint('host-after-take');
    return taken;
  }

  async split(range: Range, cut: Uint8Array): Promise<Range> {
    const { session, ranges } = this.#options;
    const rest = await session.transaction((client) => ranges.split(client, range, cut));
    this.#own(rest);
    await reachFailpoint('primary-after-split');
    return rest;
  }

  /** Does not wait for the acks: the reader can safely take its next range. */
  finish({ rangeNo }: RangeOfHost, last: Uint8Array | null): Promise<void> {
    const count = this.#counts.get(rangeNo);
    if (count !== undefined) count.end = { last };
    this.#writeIfSettled(count);
    return Promise.resolve();
  }

  /** All readers wait together. */
  async untilMore(isToStop: () => boolean): Promise<boolean> {
    this.#untilMore ??= this.#pollUntilMore(isToStop).finally(() => {
      this.#untilMore = undefined;
    });
    return await this.#untilMore;
  }

  async #pollUntilMore(isToStop: () => boolean): Promise<boolean> {
    const { session, ranges, waitsForAll } = this.#options;
    for (;;) {
      this.#requireNoFailure();
      if (isToStop()) return false;
      const { signal } = this.#finish;
      const { unread, waiting } = await session.run((client) => ranges.countLeft(client));
      await this.#countDeadLetters();
      if (unread === 0 || (waiting === 0 && !waitsForAll)) return false;
      // The last range to be finished is often one of this host.
      await untilNextPoll(signal);
      if (waiting > 0) return true;
    }
  }

  /** To be called before a batch is submitted. */
  countRead({ rangeNo, documentCount }: Batch): void {
    const count = this.#counts.get(rangeNo);
    if (count === undefined) return;
    count.read += documentCount;
    count.unsettled += documentCount;
  }

  /** To be called when a batch, or half of a bisected one, is acked. */
  countSettled({ rangeNo, documentCount }: Batch): void {
    const count = this.#counts.get(rangeNo);
    if (count === undefined) return;
    count.unsettled -= documentCount;
    this.#writeIfSettled(count);
  }

  /** To be called when all batches are acked. Resolves when all ends are recorded. @throws the first error of recording */
  async settle(): Promise<void> {
    await this.#writing;
    this.#requireNoFailure();
  }

  async #countDeadLetters(): Promise<void> {
    const { session, ranges } = this.#options;
    const count = ranges.countDeadLetters?.bind(ranges);
    if (count !== undefined) this.deadLetters = await session.run(count);
  }

  #own(range: Range): void {
    this.#counts.set(range.rangeNo, { range, read: 0, unsettled: 0, end: undefined });
  }

  #writeIfSettled(count: Count | undefined): void {
    if (count?.end === undefined || count.unsettled > 0) return;
    const { range, read: documents, end } = count;
    count.end = undefined;
    const { session, ranges } = this.#options;
    this.#writing = this.#writing
      .then(async () => {
        await reachFailpoint('host-before-range-end');
        await session.run((client) => ranges.finish(client, range, { ...end, documents }));
        this.#counts.delete(range.rangeNo);
        ranges.forget?.(range.rangeNo);
        this.finished++;
        this.#finish.abort();
        this.#finish = new AbortController();
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      });
  }

  #requireNoFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
