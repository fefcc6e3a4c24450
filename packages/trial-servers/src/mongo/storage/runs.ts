/** Lists documents that lie in buffers, joining neighbours, so that they are copied or written as one piece. */

/** `count` documents side by side in [start, start + length) of `bytes`. */
export interface Run {
  readonly bytes: Buffer;
  readonly start: number;
  length: number;
  count: number;
}

export class RunList {
  readonly runs: Run[] = [];
  count = 0;
  totalBytes = 0;

  add(bytes: Buffer, start: number, length: number): void {
    const last = this.runs.at(-1);
    if (last?.bytes === bytes && last.start + last.length === start) {
      last.length += length;
      last.count++;
    } else {
      this.runs.push({ bytes, start, length, count: 1 });
    }
    this.count++;
    this.totalBytes += length;
  }
}
