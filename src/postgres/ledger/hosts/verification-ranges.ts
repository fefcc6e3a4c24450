/** The ranges of a verification, as one of several hosts shares them, and what this host has counted in each. */

import type pg from 'pg';
import type { Range } from '../../../source/page.ts';
import { Tally } from '../../compare/tally.ts';
import { beginTaking } from './host-ranges.ts';
import type { RangesLeft, SharedRanges } from './host-range-queue.ts';
import {
  countVerificationRangesLeft,
  countWaitingVerificationRanges,
  findUnknownVerificationRanges,
  finishVerificationRange,
  takeVerificationRanges,
} from './host-verifications.ts';
import type { HostWork } from './host-work.ts';

export class VerificationRanges implements SharedRanges {
  readonly #verificationId: string;
  readonly #hosts: HostWork;
  /** For each range that this host has, by number. */
  readonly #tallies = new Map<number, Tally>();

  constructor(verificationId: string, hosts: HostWork) {
    this.#verificationId = verificationId;
    this.#hosts = hosts;
  }

  /** What was counted in a range so far. */
  tallyOf(rangeNo: number): Tally {
    const known = this.#tallies.get(rangeNo);
    if (known !== undefined) return known;
    const tally = new Tally();
    this.#tallies.set(rangeNo, tally);
    return tally;
  }

  async beginTaking(client: pg.Client): Promise<number> {
    const { hostId } = this.#hosts;
    return await beginTaking(client, hostId, countWaitingVerificationRanges(this.#verificationId));
  }

  async take(client: pg.Client, count: number): Promise<Range[]> {
    return await takeVerificationRanges(client, this.#hosts, this.#verificationId, count);
  }

  async findUnknown(client: pg.Client, known: readonly number[]): Promise<Range[]> {
    return await findUnknownVerificationRanges(client, this.#hosts, this.#verificationId, known);
  }

  split(): Promise<Range> {
    return Promise.reject(new Error('a range of a verification is not split'));
  }

  async finish(client: pg.Client, range: Pick<Range, 'rangeNo' | 'epoch'>): Promise<void> {
    await finishVerificationRange(client, this.#verificationId, range, this.tallyOf(range.rangeNo));
  }

  forget(rangeNo: number): void {
    this.#tallies.delete(rangeNo);
  }

  async countLeft(client: pg.Client): Promise<RangesLeft> {
    return await countVerificationRangesLeft(client, this.#verificationId);
  }
}
