/** A document of a dump, in the dump's format. */

export interface DumpRecord {
  readonly bytes: Buffer;
  /** Its end offset in the uncompressed file. */
  readonly end: number;
}

/** Several records at a time, because awaiting each one would cost more than reading it. */
export type DumpRecords = AsyncGenerator<readonly DumpRecord[], void, undefined>;
