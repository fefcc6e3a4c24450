/** A document as it lies in a dump: bytes, in the dump's own format, and where they end. */

export interface DumpRecord {
  readonly bytes: Buffer;
  /** The offset after it, in the uncompressed content of its file. */
  readonly end: number;
}

/** Some of them at a time, since waiting for each costs more than reading it does. */
export type DumpRecords = AsyncGenerator<readonly DumpRecord[], void, undefined>;
