/** The fields of a document that go to the extra column, or are dropped. */

import type { ElementPosition } from '../bson/cursor.ts';
import type { ExtraReason } from './extra-counter.ts';

/** Allocated once, and reused for other documents. */
export interface ExtraField extends ElementPosition {
  /** With its path; null if it is not one of the remembered names. */
  name: string | null;
  /** The key in the extra column as JSON, if it differs from the field name. */
  key: Uint8Array | null;
  reason: ExtraReason;
  type: number;
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** A document with more extra fields is an outlier, whose memory is released. */
const maxKept = 4096;

export class ExtraFields {
  /** How many of these are dropped. */
  droppedCount = 0;
  #count = 0;
  /** The first `#count` of these belong to the current document. */
  #fields: ExtraField[] = [];

  /** Whether there are any that are written. */
  get areWritten(): boolean {
    return this.#count > this.droppedCount;
  }

  /** To be called before each document. */
  begin(): void {
    this.#count = 0;
    this.droppedCount = 0;
    if (this.#fields.length > maxKept) this.#fields = [];
  }

  add(name: string | null, reason: ExtraReason, at: ElementPosition, key: Uint8Array | null): void {
    const { type, nameStart, nameEnd, valueStart, valueEnd } = at;
    if (reason === 'dropped') this.droppedCount++;
    const extra = this.#fields[this.#count++];
    if (extra === undefined) {
      this.#fields.push({ name, key, reason, type, nameStart, nameEnd, valueStart, valueEnd });
      return;
    }
    extra.name = name;
    extra.key = key;
    extra.reason = reason;
    extra.type = type;
    extra.nameStart = nameStart;
    extra.nameEnd = nameEnd;
    extra.valueStart = valueStart;
    extra.valueEnd = valueEnd;
  }

  /** Avoids an iterator per document. */
  forEach(hear: (extra: ExtraField) => void): void {
    for (let i = 0; i < this.#count; i++) {
      const extra = this.#fields[i];
      if (extra !== undefined) hear(extra);
    }
  }

  list(): readonly ExtraField[] {
    return this.#fields.slice(0, this.#count);
  }
}
