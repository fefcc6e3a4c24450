/**
 * A moment in the history of a replica set: seconds since 1970 in the upper 32 bits, and the place within the second in the
 * lower ones. Of two moments the later one is the greater number.
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

/** Of whole seconds: the places within one are no fraction of it. Never below zero. */
export function differenceMs(from: ClusterTime, until: ClusterTime): number {
  return Math.max(0, secondsOf(until) - secondsOf(from)) * 1000;
}

export function earlier(a: ClusterTime, b: ClusterTime): ClusterTime {
  return a < b ? a : b;
}
