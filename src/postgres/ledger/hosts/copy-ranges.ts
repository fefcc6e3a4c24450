/** The ranges of a load, as one of several hosts shares them. */

import type pg from 'pg';
import type { Range } from '../../../source/page.ts';
import { countAllDeadLetters } from '../dead-letters.ts';
import type { RangeEnd, RangesLeft, SharedRanges } from './host-range-queue.ts';
import {
  beginTaking,
  countRangesLeft,
  countWaitingRanges,
  findUnknownRanges,
  finishHostRange,
  splitHostRange,
  takeRanges,
} from './host-ranges.ts';
import type { HostWork } from './host-work.ts';

export class CopyRanges implements SharedRanges {
  readonly #runId: string;
  readonly #hosts: HostWork;
  readonly countDeadLetters?: (client: pg.Client) => Promise<number>;

  /** @param countsDeadLetters whether the dead letters of all hosts are needed: only by a leader with a limit */
  constructor(runId: string, hosts: HostWork, countsDeadLetters = false) {
    this.#runId = runId;
    this.#hosts = hosts;
    if (countsDeadLetters) this.countDeadLetters = (client) => countAllDeadLetters(client, runId);
  }

  async beginTaking(client: pg.Client): Promise<number> {
    return await beginTaking(client, this.#hosts.hostId, countWaitingRanges(this.#runId));
  }

  async take(client: pg.Client, count: number): Promise<Range[]> {
    return await takeRanges(client, this.#hosts, this.#runId, count);
  }

  async findUnknown(client: pg.Client, known: readonly number[]): Promise<Range[]> {
    return await findUnknownRanges(client, this.#runId, this.#hosts.hostId, known);
  }

  async split(client: pg.Client, range: Range, cut: Uint8Array): Promise<Range> {
    return await splitHostRange(client, this.#runId, this.#hosts.hostId, range, cut);
  }

  async finish(client: pg.Client, range: Pick<Range, 'rangeNo' | 'epoch'>, end: RangeEnd): Promise<void> {
    await finishHostRange(client, this.#runId, range, end);
  }

  async countLeft(client: pg.Client): Promise<RangesLeft> {
    return await countRangesLeft(client, this.#runId);
  }
}
