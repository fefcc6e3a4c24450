/** Finds the rows of a binary COPY stream, and extracts some: https://www.postgresql.org/docs/current/sql-copy.html */

import { copyHeader } from './copy-format.ts';

const trailerBytes = 2;

export class CopyRows {
  readonly count: number;
  readonly #copy: Buffer;
  /** The start of each row, and the end of the last. Computed on demand, since most streams are sent whole. */
  #offsets: readonly number[] | null = null;

  /** @param count how many rows the stream has */
  constructor(copy: Buffer, count: number) {
    this.#copy = copy;
    this.count = count;
  }

  /** A stream of the rows from the first to before the last, counted from 0. */
  slice(first: number, last: number): Buffer {
    if (first === 0 && last === this.count) return this.#copy;
    this.#offsets ??= findRows(this.#copy);
    return Buffer.concat([
      copyHeader,
      this.#copy.subarray(this.#offsets[first], this.#offsets[last]),
      this.#copy.subarray(-trailerBytes),
    ]);
  }
}

/** For each row the length of each of its fields in bytes; -1 for NULL. */
export function* rowLengths(copy: Buffer): Generator<number[], void, undefined> {
  const end = copy.length - trailerBytes;
  for (let at = copyHeader.length; at < end; at = skipRow(copy, at)) yield fieldLengths(copy, at);
}

function findRows(copy: Buffer): number[] {
  const end = copy.length - trailerBytes;
  const offsets = [copyHeader.length];
  for (let at = copyHeader.length; at < end;) {
    at = skipRow(copy, at);
    offsets.push(at);
  }
  return offsets;
}

function fieldLengths(copy: Buffer, start: number): number[] {
  const lengths: number[] = [];
  let at = start + 2;
  for (let field = copy.readInt16BE(start); field > 0; field--) {
    const length = copy.readInt32BE(at);
    lengths.push(length);
    at += 4 + Math.max(0, length);
  }
  return lengths;
}

function skipRow(copy: Buffer, start: number): number {
  const fieldCount = copy.readInt16BE(start);
  let at = start + 2;
  for (let field = 0; field < fieldCount; field++) {
    const length = copy.readInt32BE(at);
    // -1 is NULL, which has no bytes.
    at += 4 + Math.max(0, length);
  }
  return at;
}
