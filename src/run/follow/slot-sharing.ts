/**
 * The slots of the host that leads, where several follow: it shares the slots among them all, learns which are its own, and hears of
 * collections that another host cannot merge.
 */

import { systemClock } from '../../common/clock.ts';
import { TargetError } from '../../common/errors.ts';
import {
  findSlotMoves,
  listHostCollections,
  shareSlots,
  type LedStream,
} from '../../postgres/ledger/hosts/host-slots.ts';
import { pollIntervalMs } from '../../postgres/ledger/hosts/poll.ts';
import { listFailed } from '../../postgres/ledger/streams/stopped-collections.ts';
import { noSlots, type OwnedSlots } from '../../postgres/ledger/streams/slots.ts';
import type { StreamRequest, StreamRow } from '../../postgres/ledger/streams/stream.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { Followed } from './followed.ts';

export interface SlotSharingOptions {
  readonly session: Session;
  readonly row: Pick<StreamRow, 'streamId' | 'epoch'>;
  readonly key: StreamRequest;
  readonly hostId: string;
}

export class SlotSharing {
  readonly #options: SlotSharingOptions;
  readonly #led: LedStream;
  #sharedMs = -Infinity;

  constructor(options: SlotSharingOptions) {
    this.#options = options;
    this.#led = { ...options.row, hostId: options.hostId };
  }

  /** @throws SupersededError, StreamEndedError if this host does not lead any more */
  async share(followed: readonly Followed[]): Promise<void> {
    const nowMs = systemClock.nowMs();
    if (nowMs - this.#sharedMs < pollIntervalMs) return;
    this.#sharedMs = nowMs;
    const { session } = this.#options;
    const collectionNos = followed.map(({ place }) => place.collectionNo);
    const moves = await session.run((client) => findSlotMoves(client, this.#led, collectionNos));
    if (moves.length > 0) {
      await session.transaction((client) => shareSlots(client, this.#led, collectionNos));
    }
    const owned = await this.#readOwned();
    for (const one of followed) one.owned = owned.get(one.place.collectionNo) ?? noSlots;
    await this.#hearOfFailed(followed);
  }

  async #readOwned(): Promise<ReadonlyMap<number, OwnedSlots>> {
    const { session, key, hostId } = this.#options;
    const collections = await session.run((client) => listHostCollections(client, key, hostId));
    return new Map(collections.map(({ collectionNo, slots }) => [collectionNo, slots]));
  }

  /** Of one that was dropped or renamed, the stream tells: here it may be known a moment earlier. */
  async #hearOfFailed(followed: readonly Followed[]): Promise<void> {
    const { session, row } = this.#options;
    const failed = await session.run((client) => listFailed(client, row.streamId));
    for (const { collection, reason } of failed) {
      const one = followed.find((each) => each.collection === collection);
      if (one?.endedBy === null) one.failure ??= unmergeable(reason);
    }
  }
}

function unmergeable(reason: string): TargetError {
  return new TargetError(`another host could not merge its rows: ${reason}`, {
    code: 'MERGE_STOPPED',
    fix: 'remove the cause; the next start merges what waits.',
  });
}
