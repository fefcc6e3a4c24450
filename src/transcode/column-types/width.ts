/**
 * How much of a row a value takes at most. The forms in which a value is stored:
 * https://www.postgresql.org/docs/current/storage-page-layout.html and storage-toast.html
 */

/** Bytes, and what the offset of their first must be a multiple of. */
export type Width = readonly [bytes: number, alignment: number];

/** The most that a value takes inside of its row. @param copyBytes how long it is in a binary COPY */
export type MeasureValue = (copyBytes: number) => Width;

/** A value of up to so many bytes stays where it is; Postgres compresses none below `minCompressedBytes`. */
const maxShortBytes = 20;
const minCompressedBytes = 32;

/** Of a value that was moved out of its row. */
const pointer: Width = [18, 1];

/** A value that compression has made this small is not moved out any more. */
export const compressedWidth: Width = [24, 4];

const shortWidths = Array.from({ length: maxShortBytes + 1 }, (_, bytes): Width => [bytes + 1, 1]);

export function fixed(bytes: number, alignment = bytes): MeasureValue {
  const width = [bytes, alignment] as const;
  return () => width;
}

/** @param surplus how many bytes more a value has in COPY than in its row, at least */
export function variable(surplus = 0): MeasureValue {
  return (copyBytes) => {
    const bytes = copyBytes - surplus;
    return shortWidths[bytes] ?? (bytes < minCompressedBytes ? pointer : compressedWidth);
  };
}

/** Where COPY's bytes say nothing of the stored ones. */
export const opaque: MeasureValue = () => compressedWidth;

/** Of the types that Postgres has, the longest of a fixed length. */
export const unknown = fixed(64, 8);
