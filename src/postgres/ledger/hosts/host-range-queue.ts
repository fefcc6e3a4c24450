/**
 * The ranges of a load that several hosts share, for the readers of one of them.
 *
 * A range:   waiting (a job in the queue) ──take()──→ this host's ──read to its end──→ settling ──last ack──→ read, in the ledger
 *                ↑__ closed, and its gaps opened: the host left, or was taken for dead __|
 * Invariants
 * - the ledger hears that a range is read only when all its batches are acked: until then it is its host's, and goes to another
 *   with the host;
 * - what a host has taken and does not know of, as the answer was lost, it finds when it asks again.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import type { Batch, Range } from '../../../source/page.ts';
import type { RangeQueue } from '../../../source/reading/range-queue.ts';
import type { Session } from '../../connection/session.ts';
import { countRangesLeft, findStrays, finishHostRange, splitHostRange, takeRange } from './host-ranges.ts';
import type { RangeJobs } from './range-jobs.ts';

/** Nothing tells that another host has come to an end, or has given something back. */
const lookEveryMs = 500;

/** Of one range, what was read of it. */
interface Count {
  readonly range: Pick<Range, 'rangeNo' | 'epoch'>;
  /** Documents that were handed over. */
  read: number;
  /** Of these, those that are not acked. */
  unsettled: number;
  /** Set once its reader has come to its end. */
  end: { readonly last: Uint8Array | null } | undefined;
}

export interface HostRangeQueueOptions {
  readonly session: Session;
  readonly jobs: RangeJobs;
  readonly runId: string;
  readonly hostId: string;
  /** Waits until every range of the run is read, by whichever host: what the lead does. Others have other things to do. */
  readonly waitsForAll: boolean;
}

export class HostRangeQueue implements RangeQueue {
  readonly #options: HostRangeQueueOptions;
  /** Of ranges that this host has, by their numbers. */
  readonly #counts = new Map<number, Count>();
  #writing: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  /** How many ranges were read to their end here. */
  finished = 0;

  constructor(options: HostRangeQueueOptions) {
    this.#options = options;
  }

  async take(): Promise<Range | null> {
    this.#requireNoFailure();
    const { session, jobs, runId, hostId } = this.#options;
    let isRepeated = false;
    const range = await session.transaction(async (client) => {
      if (isRepeated) {
        const [stray] = await findStrays(client, runId, hostId, [...this.#counts.keys()]);
        if (stray !== undefined) return stray;
      }
      isRepeated = true;
      const taken = await takeRange(client, jobs, runId, hostId);
      await reachFailpoint('host-before-take-commit');
      return taken;
    });
    if (range !== null) this.#own(range);
    await reachFailpoint('host-after-take');
    return range;
  }

  async split(range: Range, cut: Uint8Array): Promise<Range> {
    const { session, runId, hostId } = this.#options;
    const rest = await session.transaction((client) => splitHostRange(client, runId, hostId, range, cut));
    this.#own(rest);
    await reachFailpoint('primary-after-split');
    return rest;
  }

  /** Does not wait for the acks: to read on is safe. */
  finish({ rangeNo }: Pick<Range, 'rangeNo' | 'epoch'>, last: Uint8Array | null): Promise<void> {
    const count = this.#counts.get(rangeNo);
    if (count !== undefined) count.end = { last };
    this.#writeIfSettled(count);
    return Promise.resolve();
  }

  async untilMore(isToStop: () => boolean): Promise<boolean> {
    if (!this.#options.waitsForAll) return false;
    const { session, runId } = this.#options;
    for (;;) {
      this.#requireNoFailure();
      if (isToStop()) return false;
      const { unread, waiting } = await session.run((client) => countRangesLeft(client, runId));
      if (unread === 0) return false;
      await delay(lookEveryMs);
      if (waiting > 0) return true;
    }
  }

  /** A batch is about to be handed over. */
  countRead({ rangeNo, documentCount }: Batch): void {
    const count = this.#counts.get(rangeNo);
    if (count === undefined) return;
    count.read += documentCount;
    count.unsettled += documentCount;
  }

  /** A batch, or a half of one, was acked. */
  countSettled({ rangeNo, documentCount }: Batch): void {
    const count = this.#counts.get(rangeNo);
    if (count === undefined) return;
    count.unsettled -= documentCount;
    this.#writeIfSettled(count);
  }

  /** To be called when all batches are acked. Resolves when all is written down. @throws the first failure of that */
  async settle(): Promise<void> {
    await this.#writing;
    this.#requireNoFailure();
  }

  #own(range: Range): void {
    this.#counts.set(range.rangeNo, { range, read: 0, unsettled: 0, end: undefined });
  }

  #writeIfSettled(count: Count | undefined): void {
    if (count?.end === undefined || count.unsettled > 0) return;
    const { range, read: documents, end } = count;
    count.end = undefined;
    const { session, runId } = this.#options;
    this.#writing = this.#writing
      .then(async () => {
        await reachFailpoint('host-before-range-end');
        await session.transaction((client) => finishHostRange(client, runId, range, { ...end, documents }));
        this.#counts.delete(range.rangeNo);
        this.finished++;
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      });
  }

  #requireNoFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
