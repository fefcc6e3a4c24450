/** One batch of a cursor: gathers documents up to the reply's limit and writes them as a BSON array. */
import { readInt32 } from '../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { RunList } from './storage/runs.ts';

/** mongod ends a reply before it exceeds 16 MiB, whatever batch size was asked for; one document always fits. */
const maxReplyBytes = 16 * 1024 * 1024;

export class Batch {
  readonly #documents = new RunList();
  #keyBytes = 0;
  /** Bytes of an element around its document: the type, the digits of its index, a zero. */
  #nextKeyBytes = 3;
  #nextLongerKey = 10;

  get count(): number {
    return this.#documents.count;
  }

  /** Length of the BSON array that `write` writes. */
  get arrayBytes(): number {
    return 4 + this.#keyBytes + this.#documents.totalBytes + 1;
  }

  /** Adds the document of `length` bytes at `start`, which must stay as it is until `write`; false when it is one too many. */
  add(bytes: Buffer, start: number, length: number): boolean {
    const used = this.#documents.totalBytes + this.#keyBytes + this.#nextKeyBytes + length;
    if (used > maxReplyBytes && this.count > 0) {
      return false;
    }
    this.#documents.add(bytes, start, length);
    this.#keyBytes += this.#nextKeyBytes;
    if (this.count === this.#nextLongerKey) {
      this.#nextLongerKey *= 10;
      this.#nextKeyBytes++;
    }
    return true;
  }

  /** Writes the array at `start` of `target`, which has `arrayBytes` of space there; returns its end. */
  write(target: Buffer, start: number): number {
    target.writeInt32LE(this.arrayBytes, start);
    const key = new ArrayKey();
    let position = start + 4;
    for (const run of this.#documents.runs) {
      const runEnd = position + run.length + countKeyBytes(key.index, run.count);
      // The run is copied once, to the end of its space; then each of its documents moves down to its place.
      let source = runEnd - run.length;
      run.bytes.copy(target, source, run.start, run.start + run.length);
      while (position < runEnd) {
        position = key.writeNext(target, position);
        const length = readInt32(target, source);
        if (position !== source) {
          target.copyWithin(position, source, source + length);
        }
        position += length;
        source += length;
      }
    }
    target[position] = 0;
    return position + 1;
  }
}

/** Bytes of the elements' types and keys, for `count` elements from `first` on. */
function countKeyBytes(first: number, count: number): number {
  let total = 0;
  let index = first;
  const end = first + count;
  for (let digits = 1, power = 10; index < end; digits++, power *= 10) {
    if (index < power) {
      const last = Math.min(end, power);
      total += (last - index) * (digits + 2);
      index = last;
    }
  }
  return total;
}

/** Counts in ASCII, so that no number is turned into text. */
class ArrayKey {
  index = 0;
  readonly #digits: number[] = [48];

  /** Writes the type byte of a document and the next index as a name; returns the offset after it. */
  writeNext(target: Buffer, start: number): number {
    let position = start;
    target[position++] = bsonTypes.object;
    const digits = this.#digits;
    for (let place = digits.length - 1; place >= 0; place--) {
      target[position++] = digits[place] ?? 48;
    }
    target[position++] = 0;
    this.#increment();
    return position;
  }

  /** The least significant digit comes first. */
  #increment(): void {
    this.index++;
    const digits = this.#digits;
    for (let place = 0; place < digits.length; place++) {
      const digit = digits[place] ?? 48;
      if (digit < 57) {
        digits[place] = digit + 1;
        return;
      }
      digits[place] = 48;
    }
    digits.push(49);
  }
}
