/**
 * A pass over all documents that must be compared again: those that differed, by hash, and then those that drains have noted, slot
 * by slot. Documents noted meanwhile belong to the next generation.
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

/** Each has at most 1,000 documents; the same document may be in several. */
const drainsAtATime = 50;

export interface Taken {
  readonly ids: readonly NotedId[];
  /** They must be read at this time or later. */
  readonly time: ClusterTime;
  /** To be removed when they are compared; null for documents that differed. */
  readonly notes: TakenNotes | null;
}

export class Generation {
  readonly #session: Session;
  readonly #place: FollowedCollection;
  /** Null when all differing documents were taken. */
  #hash: Uint8Array | null = Buffer.alloc(0);
  #position: NotePosition | null = null;
  #taken = 0;

  constructor(session: Session, place: FollowedCollection) {
    this.#session = session;
    this.#place = place;
  }

  /** Number of documents taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** @returns null at its end */
  async next(): Promise<Taken | null> {
    const taken = (await this.#nextDifferences()) ?? (await this.#nextNotes());
    this.#taken += taken?.ids.length ?? 0;
    return taken;
  }

  /** To be called when all taken documents are compared, and differences are recorded. */
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

/** A slot is left once all of its notes were taken: constant merges in one slot must not starve the others. */
function positionAfter({ slot, drainNos }: TakenNotes): NotePosition {
  if (drainNos.length < drainsAtATime) return { slot, drainNo: Number.MAX_SAFE_INTEGER };
  return { slot, drainNo: drainNos.at(-1) ?? 0 };
}
