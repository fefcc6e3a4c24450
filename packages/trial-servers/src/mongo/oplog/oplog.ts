/**
 * The oplog: what was done, in order, for change streams to read. It is bounded: the oldest operations go first, and
 * a stream that still needs them fails because its history is lost.
 */
import { lastTimeOf } from './entry.ts';
import { noPlace } from '../storage/place.ts';
import type { OplogEntry } from './entry.ts';
import { ClusterClock } from './cluster-time.ts';
import type { ClusterTime } from './cluster-time.ts';

/** What an entry takes besides its bytes, about. */
const entryOverheadBytes = 150;
export const defaultOplogBytes = 256 * 1024 * 1024;
/** Like mongod in an idle set: the time of a stream without events advances. */
const noopIntervalMs = 10_000;

/** An entry without its time, which the oplog gives. */
export type NewEntry = Omit<OplogEntry, 'time' | 'wallMs'>;

export class Oplog {
  readonly clock: ClusterClock;
  readonly #maxBytes: number;
  #entries: OplogEntry[] = [];
  /** Entries before this one were removed; the array is truncated from time to time. */
  #head = 0;
  /** How many entries were cut off the array. */
  #cut = 0;
  #bytes = 0;
  /** The last time whose operations were removed; a stream must start at or after it. */
  #lostUntil: ClusterTime;
  #lastTime: ClusterTime;
  readonly #waiters = new Set<() => void>();
  #isWakeUpDue = false;
  #noopTimer: NodeJS.Timeout | undefined;

  /** `history` is what a server before kept; before its first entry, all is lost. */
  constructor(
    maxBytes: number = defaultOplogBytes,
    history: readonly OplogEntry[] = [],
    last: ClusterTime = 0,
  ) {
    this.#maxBytes = maxBytes;
    const [first] = history;
    this.clock = new ClusterClock(Math.max(last, ...history.slice(-1).map(lastTimeOf)));
    this.#lostUntil = first === undefined ? this.clock.last - 1 : first.time - 1;
    this.#lastTime = this.#lostUntil;
    for (const entry of history) {
      this.#push(entry);
    }
    // The first entry of a set: there is always one, so that there is a time.
    this.#push({ ...noop, time: this.clock.last, wallMs: Date.now() });
  }

  /** Of the newest operation. */
  get lastTime(): ClusterTime {
    return this.#lastTime;
  }

  /** Of the oldest operation that a stream can still start after. */
  get lostUntil(): ClusterTime {
    return this.#lostUntil;
  }

  /** The position after the newest entry. */
  get end(): number {
    return this.#cut + this.#entries.length;
  }

  append(entry: NewEntry): OplogEntry {
    return this.appendAt(entry, this.clock.tick(entry.count));
  }

  /** With a time that was taken from the clock before, and nothing appended since. */
  appendAt(entry: NewEntry, time: ClusterTime): OplogEntry {
    // One shape for all entries, whatever they leave out: the reader's code stays fast.
    const { count, kind, place, bytes, start, length, images, to } = entry;
    const kept = { time, count, wallMs: Date.now(), kind, place, bytes, start, length, images, to };
    this.#push(kept);
    this.#wake();
    return kept;
  }

  appendNoop(): void {
    this.append(noop);
  }

  /** Ensures that there are operations up to `time`: mongod, too, writes a no-op for it. */
  reach(time: ClusterTime): void {
    if (time > this.#lastTime) {
      this.appendNoop();
    }
  }

  /** The position of the first entry with an operation after `time`. */
  locateAfter(time: ClusterTime): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && lastTimeOf(entry) > time) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return this.#cut + low;
  }

  /** The entry at a position; undefined after the end, and if it was removed. */
  at(position: number): OplogEntry | undefined {
    const index = position - this.#cut;
    return index < this.#head ? undefined : this.#entries[index];
  }

  /** Drops all history, as an oplog that is too short does. */
  forget(): void {
    this.#drop(this.#entries.length);
    this.appendNoop();
  }

  /** Calls `wake` once, soon after the next operation. */
  onAppend(wake: () => void): () => void {
    this.#waiters.add(wake);
    return () => {
      this.#waiters.delete(wake);
    };
  }

  /** Writes a no-op whenever nothing else was written for ten seconds; keeps no process alive. */
  startNoops(): void {
    let seen = this.#lastTime;
    this.#noopTimer = setInterval(() => {
      if (this.#lastTime === seen) {
        this.appendNoop();
      }
      seen = this.#lastTime;
    }, noopIntervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#noopTimer);
  }

  #push(entry: OplogEntry): void {
    this.#entries.push(entry);
    this.#lastTime = lastTimeOf(entry);
    this.#bytes += sizeOf(entry);
    let excess = 0;
    for (
      let bytes = this.#bytes;
      bytes > this.#maxBytes && this.#head + excess < this.#entries.length - 1;
      excess++
    ) {
      bytes -= sizeOf(this.#entries[this.#head + excess]);
    }
    if (excess > 0) {
      this.#drop(this.#head + excess);
    }
  }

  #drop(head: number): void {
    for (let index = this.#head; index < head; index++) {
      const entry = this.#entries[index];
      if (entry !== undefined) {
        this.#bytes -= sizeOf(entry);
        this.#lostUntil = lastTimeOf(entry);
        this.#entries[index] = gone;
      }
    }
    this.#head = head;
    if (head > 1024 && head > this.#entries.length / 2) {
      this.#entries.splice(0, head);
      this.#cut += head;
      this.#head = 0;
    }
  }

  /** Once for all operations of this turn of the event loop. */
  #wake(): void {
    if (this.#waiters.size === 0 || this.#isWakeUpDue) {
      return;
    }
    this.#isWakeUpDue = true;
    setImmediate(() => {
      this.#isWakeUpDue = false;
      const waiters = [...this.#waiters];
      this.#waiters.clear();
      for (const wake of waiters) {
        wake();
      }
    });
  }
}

/** An operation that does nothing, for its time. */
export const noop: NewEntry = {
  count: 1,
  kind: 'noop',
  place: noPlace,
  bytes: Buffer.alloc(0),
  start: 0,
  length: 0,
};

/** In the place of what was dropped, so that its bytes are free at once. */
const gone: OplogEntry = { ...noop, time: 0, wallMs: 0 };

function sizeOf(entry: OplogEntry | undefined): number {
  return entry === undefined
    ? 0
    : entry.length +
        entryOverheadBytes +
        (entry.images?.before.length ?? 0) +
        (entry.images?.after?.length ?? 0);
}
