/** The ranges of a load: this process leads the run and owns all of them, and the ledger knows how each was read. */

import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { RangeQueue } from '../../source/reading/range-queue.ts';
import type { Range } from '../../source/page.ts';
import type { Lead } from './lead.ts';
import { finishRange, splitRange } from './ranges.ts';
import type { Session } from '../connection/session.ts';

export class LedgerRangeQueue implements RangeQueue {
  readonly #session: Session;
  readonly #lead: Lead;
  readonly #ranges: Range[];
  /** One transaction at a time on the session. */
  #turn: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  /** @param ranges that this process has opened, and so owns */
  constructor(session: Session, lead: Lead, ranges: readonly Range[]) {
    this.#session = session;
    this.#lead = lead;
    this.#ranges = [...ranges];
  }

  take(): Promise<Range | null> {
    return Promise.resolve(this.#ranges.shift() ?? null);
  }

  split(range: Range, cut: Uint8Array): Promise<Range> {
    return this.#inTurn(async () => {
      const rest = await this.#session.transaction((client) => splitRange(client, this.#lead, range, cut));
      await reachFailpoint('primary-after-split');
      return rest;
    });
  }

  /** Does not wait: to read on is safe, and with a far server a reader would lose a round trip for each range. */
  finish(range: Pick<Range, 'rangeNo' | 'epoch'>, last: Uint8Array | null): Promise<void> {
    void this.#inTurn(() =>
      this.#session.run((client) => finishRange(client, this.#lead.runId, range, last)),
    );
    return Promise.resolve();
  }

  /** Resolves when all is written down. @throws the first failure of that */
  async settle(): Promise<void> {
    await this.#turn;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** What fails here is told to who waits for it, and by `settle`. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    return result;
  }
}
