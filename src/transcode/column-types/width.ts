/**
 * The maximum width of a value in a row. The forms in which a value is stored:
 * https://www.postgresql.org/docs/current/storage-page-layout.html and storage-toast.html
 */

/** Bytes and alignment. */
export type Width = readonly [bytes: number, alignment: number];

/** The maximum width of a value in its row. @param copyBytes its length in a binary COPY */
export type MeasureValue = (copyBytes: number) => Width;

/** A value of at most this length stays in the row; Postgres compresses none below `minCompressedBytes`. */
const maxShortBytes = 20;
const minCompressedBytes = 32;

/** The TOAST pointer of a value stored outside of its row. */
const pointer: Width = [18, 1];

/** A value that is compressed to this size is not moved out of the row. */
export const compressedWidth: Width = [24, 4];

const shortWidths = Array.from({ length: maxShortBytes + 1 }, (_, bytes): Width => [bytes + 1, 1]);

export function fixed(bytes: number, alignment = bytes): MeasureValue {
  const width = [bytes, alignment] as const;
  return () => width;
}

/** @param surplus by how many bytes, at least, a value is longer in COPY than in its row */
export function variable(surplus = 0): MeasureValue {
  return (copyBytes) => {
    const bytes = copyBytes - surplus;
    return shortWidths[bytes] ?? (bytes < minCompressedBytes ? pointer : compressedWidth);
  };
}

/** For types whose stored length does not follow from COPY. */
export const opaque: MeasureValue = () => compressedWidth;

/** The longest fixed-length type of Postgres. */
export const unknown = fixed(64, 8);
