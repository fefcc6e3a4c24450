/** The ranges of a load by a single process, which leads the run and owns all of them. Their progress is recorded in the ledger. */

import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { RangeQueue } from '../../source/reading/range-queue.ts';
import type { Range } from '../../source/page.ts';
import type { Leadership } from './leadership.ts';
import { finishRange, splitRange } from './ranges.ts';
import type { Session } from '../connection/session.ts';

export class LedgerRangeQueue implements RangeQueue {
  readonly #session: Session;
  readonly #leadership: Leadership;
  readonly #ranges: Range[];
  /** One transaction at a time on the session. */
  #turn: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  /** @param ranges that this process has opened */
  constructor(session: Session, leadership: Leadership, ranges: readonly Range[]) {
    this.#session = session;
    this.#leadership = leadership;
    this.#ranges = [...ranges];
  }

  take(): Promise<Range | null> {
    return Promise.resolve(this.#ranges.shift() ?? null);
  }

  split(range: Range, cut: Uint8Array): Promise<Range> {
    return this.#inTurn(async () => {
      const rest = await this.#session.transaction((client) =>
        splitRange(client, this.#leadership, range, cut),
      );
      await reachFailpoint('primary-after-split');
      return rest;
    });
  }

  /** Does not wait for the ledger: reading can safely continue, and a reader would lose a round trip for each range. */
  finish(range: Pick<Range, 'rangeNo' | 'epoch'>, last: Uint8Array | null): Promise<void> {
    void this.#inTurn(() =>
      this.#session.run((client) => finishRange(client, this.#leadership.runId, range, last)),
    );
    return Promise.resolve();
  }

  /** Resolves when all ends are recorded. @throws the first error of recording */
  async settle(): Promise<void> {
    await this.#turn;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** An error rejects the result, and a later `settle`. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    return result;
  }
}
