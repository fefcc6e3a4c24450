/** Looks at the rows of a binary COPY stream, and takes single ones out: https://www.postgresql.org/docs/current/sql-copy.html */

/** Signature, flags, and the length of an extension that we never write. */
const HEADER_BYTES = 19;
const TRAILER_BYTES = 2;

/** The stream without some of its rows, counted from 0. */
export function withoutRows(copy: Buffer, left: ReadonlySet<number>): Buffer {
  const parts = [copy.subarray(0, HEADER_BYTES)];
  let keptFrom = HEADER_BYTES;
  let at = HEADER_BYTES;
  const end = copy.length - TRAILER_BYTES;
  for (let row = 0; at < end; row++) {
    const start = at;
    at = skipRow(copy, at);
    if (!left.has(row)) continue;
    parts.push(copy.subarray(keptFrom, start));
    keptFrom = at;
  }
  parts.push(copy.subarray(keptFrom));
  return Buffer.concat(parts);
}

/** For each row the length of each of its fields in bytes; -1 for NULL. */
export function* rowLengths(copy: Buffer): Generator<number[], void, undefined> {
  const end = copy.length - TRAILER_BYTES;
  for (let at = HEADER_BYTES; at < end; at = skipRow(copy, at)) yield fieldLengths(copy, at);
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
