/**
 * A pass over all that is to be compared again: documents that differed, in the order of their hashes, and then what drains have
 * noted, slot by slot. What is noted meanwhile is of the next one.
 */

import type { Session } from '../../../postgres/connection/session.ts';
import {
  removeNotes,
  takeNotes,
  type NotePosition,
  type TakenNotes,
} from '../../../postgres/follow/notes.ts';
import { takeDifferences, type NotedId } from '../../../postgres/follow/unverified.ts';
import type { FollowedCollection } from '../../../postgres/worker-settings.ts';
import type { ClusterTime } from '../../../source/cluster-time.ts';

const differencesAtATime = 1_000;

/** Of at most 1,000 documents each, of which the same ones may be in several. */
const drainsAtATime = 50;

export interface Taken {
  readonly ids: readonly NotedId[];
  /** They are to be read as of this time or later. */
  readonly time: ClusterTime;
  /** To be removed when they are compared; null for documents that differed. */
  readonly notes: TakenNotes | null;
}

export class Generation {
  readonly #session: Session;
  readonly #place: FollowedCollection;
  /** Null when all of those that differed were taken. */
  #hash: Uint8Array | null = Buffer.alloc(0);
  #position: NotePosition | null = null;
  #taken = 0;

  constructor(session: Session, place: FollowedCollection) {
    this.#session = session;
    this.#place = place;
  }

  /** So many documents it had until now. */
  get taken(): number {
    return this.#taken;
  }

  /** @returns null at its end */
  async next(): Promise<Taken | null> {
    const taken = (await this.#nextDifferences()) ?? (await this.#nextNotes());
    this.#taken += taken?.ids.length ?? 0;
    return taken;
  }

  /** To be called when all that was taken is compared, and what differs is written down. */
  async settle({ notes }: Taken): Promise<void> {
    if (notes === null) return;
    await this.#session.run((client) => removeNotes(client, this.#place, notes));
  }

  async #nextDifferences(): Promise<Taken | null> {
    const hash = this.#hash;
    if (hash === null) return null;
    const { ids, lastHash, time } = await this.#session.run((client) =>
      takeDifferences(client, this.#place, hash, differencesAtATime),
    );
    this.#hash = lastHash;
    return lastHash === null ? null : { ids, time, notes: null };
  }

  async #nextNotes(): Promise<Taken | null> {
    const notes = await this.#session.run((client) =>
      takeNotes(client, this.#place, this.#position, drainsAtATime),
    );
    if (notes !== null) this.#position = positionAfter(notes);
    return notes === null ? null : { ids: notes.ids, time: notes.time, notes };
  }
}

/** Where all of a slot were taken, it is left: what is merged in it all the time is not to keep the others waiting. */
function positionAfter({ slot, drainNos }: TakenNotes): NotePosition {
  if (drainNos.length < drainsAtATime) return { slot, drainNo: Number.MAX_SAFE_INTEGER };
  return { slot, drainNo: drainNos.at(-1) ?? 0 };
}
