/**
 * A time in the history of a replica set: seconds since 1970 in the upper 32 bits, an increment within the second in the
 * lower ones. A later time is a greater number.
 * https://www.mongodb.com/docs/manual/reference/bson-types/#timestamps
 */
export type ClusterTime = bigint;

export function clusterTimeOf(seconds: number, increment: number): ClusterTime {
  return (BigInt(seconds) << 32n) | BigInt(increment);
}

/** Whole seconds since 1970. */
export function secondsOf(time: ClusterTime): number {
  return Number(time >> 32n);
}

export function dateOf(time: ClusterTime): Date {
  return new Date(secondsOf(time) * 1000);
}

/** In whole seconds, because the increment is not a fraction of a second. Never below zero. */
export function differenceMs(from: ClusterTime, until: ClusterTime): number {
  return Math.max(0, secondsOf(until) - secondsOf(from)) * 1000;
}

export function earlier(a: ClusterTime, b: ClusterTime): ClusterTime {
  return a < b ? a : b;
}
