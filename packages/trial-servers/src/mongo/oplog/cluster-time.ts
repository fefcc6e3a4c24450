/**
 * MongoDB's cluster time: seconds and an increment within the second. Both are kept in one number, so that times are
 * compared and incremented as numbers.
 */
import { Timestamp } from 'bson';

/** `seconds × 2^21 + increment`: exact until the year 2106, for two million operations a second. */
export type ClusterTime = number;

const incrementSpan = 2 ** 21;
/** More than a server does in a millisecond. */
const incrementsPerMs = 2000;

/** An increment beyond the span stands for the last one. */
export function toClusterTime(seconds: number, increment: number): ClusterTime {
  return seconds * incrementSpan + Math.min(increment, incrementSpan - 1);
}

export function secondsOf(time: ClusterTime): number {
  return Math.floor(time / incrementSpan);
}

export function incrementOf(time: ClusterTime): number {
  return time % incrementSpan;
}

export function toTimestamp(time: ClusterTime): Timestamp {
  return new Timestamp({ t: secondsOf(time), i: incrementOf(time) });
}

/** As mongod's messages have it. */
export function describeTime(time: ClusterTime): string {
  return `Timestamp(${secondsOf(time)}, ${incrementOf(time)})`;
}

/** Reads the eight bytes of a BSON timestamp. */
export function readTimestamp(bytes: Buffer, start: number): ClusterTime {
  return toClusterTime(bytes.readUInt32LE(start + 4), bytes.readUInt32LE(start));
}

/** Writes the eight bytes of a BSON timestamp; returns the offset after them. */
export function writeTimestamp(bytes: Buffer, start: number, time: ClusterTime): number {
  bytes.writeUInt32LE(incrementOf(time), start);
  return bytes.writeUInt32LE(secondsOf(time), start + 4);
}

/** Gives out cluster times, each only once, and each greater than all before. */
export class ClusterClock {
  #last: ClusterTime;

  /** `last` is a time that no time given out may reach: the last one of a server before, as far as it is known. */
  constructor(last: ClusterTime = 0) {
    // An earlier server without a journal may have ended in this second: each millisecond has increments of its own.
    const nowMs = Date.now();
    const start = toClusterTime(Math.floor(nowMs / 1000), 1 + (nowMs % 1000) * incrementsPerMs);
    this.#last = Math.max(last + 1, start);
  }

  /** The greatest time known. */
  get last(): ClusterTime {
    return this.#last;
  }

  /** The first of `count` times in a row. */
  tick(count: number): ClusterTime {
    const first = Math.max(toClusterTime(Math.floor(Date.now() / 1000), 1), this.#last + 1);
    this.#last = first + count - 1;
    return first;
  }

  /** The time that the wall clock will show in so many seconds. */
  ahead(seconds: number): ClusterTime {
    return toClusterTime(Math.floor(Date.now() / 1000) + seconds, 0);
  }

  /** A client has seen this time, from this server or from another one. */
  advance(time: ClusterTime): void {
    this.#last = Math.max(this.#last, time);
  }
}
