/** Counts values in the extra column, and dropped ones, by field, type and reason. */

import { type BsonTypeName, nameOfType } from '../bson/types.ts';

/**
 * Why a value is in the extra column: it has no column, or does not fit it, or is a second field of the same name, or the row would
 * not fit a page with it. A `dropped` value is stored nowhere, as the plan says. An `empty` document or array is kept there, since
 * no column and no row shows it.
 */
const reasons = ['no_column', 'does_not_fit', 'duplicate_field', 'row_too_wide', 'dropped', 'empty'] as const;
export type ExtraReason = (typeof reasons)[number];

export interface ExtraCount {
  /** The field's name, with its path if it is a nested one (`address.city`), or `OTHER_FIELDS`. */
  readonly field: string;
  readonly type: BsonTypeName;
  readonly reason: ExtraReason;
  readonly count: number;
}

/** Counts fields together that are too many, or whose names are too long. */
export const otherFields = '(other fields)';

interface Entry {
  readonly reason: ExtraReason;
  count: number;
}

/** A document with more is an outlier, whose memory is released. */
const maxKeptRecent = 4096;

export class ExtraCounter {
  readonly #counts = new Map<string, Map<number, Entry>>();
  /** The first `recentCount` entries were each incremented since `begin`. */
  #recent: Entry[] = [];
  #recentCount = 0;

  reset(): void {
    this.#counts.clear();
    this.begin();
  }

  /** To be called before each document. */
  begin(): void {
    this.#recentCount = 0;
    if (this.#recent.length > maxKeptRecent) this.#recent = [];
  }

  /** Undoes the counts since `begin`, if the document became a dead letter. */
  forget(): void {
    for (let i = 0; i < this.#recentCount; i++) {
      const entry = this.#recent[i];
      if (entry !== undefined) entry.count--;
    }
    this.#recentCount = 0;
  }

  add(field: string | null, type: number, reason: ExtraReason): void {
    const entry = this.#entryOf(field, type, reason);
    entry.count++;
    this.#recent[this.#recentCount++] = entry;
  }

  /** Adds counts from elsewhere, which `forget` does not undo. */
  addCounted(field: string, type: number, reason: ExtraReason, count: number): void {
    this.#entryOf(field, type, reason).count += count;
  }

  toCounts(): ExtraCount[] {
    const list: ExtraCount[] = [];
    for (const [field, ofField] of this.#counts) {
      for (const [key, { reason, count }] of ofField) {
        if (count === 0) continue;
        list.push({ field, type: nameOfType(Math.floor(key / reasons.length)), reason, count });
      }
    }
    return list;
  }

  #entryOf(field: string | null, type: number, reason: ExtraReason): Entry {
    const name = field ?? otherFields;
    let ofField = this.#counts.get(name);
    if (ofField === undefined) {
      ofField = new Map();
      this.#counts.set(name, ofField);
    }
    const key = type * reasons.length + reasons.indexOf(reason);
    let entry = ofField.get(key);
    if (entry === undefined) {
      entry = { reason, count: 0 };
      ofField.set(key, entry);
    }
    return entry;
  }
}
