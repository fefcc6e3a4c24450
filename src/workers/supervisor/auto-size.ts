/**
 * Chooses the number of workers, and of the connections of each, with CLUSTER_SIZE=auto. It decides only by observations that are
 * passed in.
 *
 *   idle ──work──→ inside ──worth a fork──→ beside, one worker
 *     └──────── work that is worth a fork ──────┘
 *   beside:  busy transcoding, and processors idle ──→ more workers, up to one a core
 *            waiting for Postgres ──→ trial of more connections, then of more workers ──paid──→ beside
 *                                       └── did not pay ──→ as before, and rest
 * Invariants
 * - there is a worker as soon as there is work, and it has a connection;
 * - workers, connections of each, and connections of all stay within the limits;
 * - little work is not worth a fork; once workers run apart from the primary, none runs inside it again;
 * - there is one change at a time: the next is decided when all workers are ready, by observations since then;
 * - more workers than cores come only after more connections, and both only while all workers wait for Postgres;
 * - a trial without enough gain is undone, and followed by a pause.
 */

import { formatPercent } from '../../common/format.ts';
import type { Crew, Observation, Seen, Sizing } from './crew.ts';
import { forkBytes } from './workload.ts';

export interface SizeLimits {
  /** Whether workers can run apart from the primary. */
  readonly canFork: boolean;
  /** How many workers can transcode at a time. */
  readonly cores: number;
  readonly maxWorkers: number;
  /** For all workers together. */
  readonly maxConnections: number;
  /** The round trip to Postgres at the start. */
  readonly roundTripMs: number;
}

/** Postgres works on the batch of one, while the next is transcoded for the other. */
export const fewConnections = 2;

/** Initial connections if Postgres is distant. */
const moreConnections = 4;

/** By measurement (docs/pools.md); with more, the single thread that writes to them is the limit. */
const maxConnectionsPerWorker = 8;

/** With a longer round trip, Postgres runs on another machine, and does not share our processors. */
const farMs = 5;

/** If workers transcode for this share of their time, only another worker can help. */
const busyShare = 0.5;

/** If workers stall for a smaller share, more connections would gain less than they cost. */
const stalledShare = 0.25;

/** Less than 1, since switches between processes count as idle. */
const fullProcessorShare = 0.9;

/** The gain that a trial must show. */
const worthwhileGain = 1.05;

/** Shorter observations are not significant. */
const minSeenMs = 200;
const minAcks = 2;

/** After this time a trial is repeated, since the load may have changed. */
const restMs = 30_000;

export class AutoSize implements Sizing {
  readonly isOpen = true;
  readonly #limits: SizeLimits;
  #crew: Crew = { workers: 0, isInside: false, connections: 1 };
  #changedAtMs = 0;
  #trial: { readonly before: Crew; readonly bytesPerMs: number } | undefined;
  #restsUntilMs = 0;
  #why = 'there was no work';
  /** Why there are more connections, or more workers. */
  #reason = '';

  constructor(limits: SizeLimits) {
    this.#limits = limits;
  }

  get crew(): Crew {
    return this.#crew;
  }

  explain(): string {
    return this.#reason === '' ? this.#why : `${this.#reason}; ${this.#why}`;
  }

  decide(now: Observation): Crew {
    if (now.hasWork) this.#decide(now);
    return this.#crew;
  }

  #decide(now: Observation): void {
    const { workers, isInside } = this.#crew;
    if (workers === 0 && (!isInside || this.#limits.canFork)) this.#place(now);
    else if (!now.isComplete) return;
    else if (this.#trial !== undefined) this.#judge(now, this.#trial);
    else this.#grow(now);
  }

  /** Decides whether workers run apart from the primary or inside it. */
  #place(now: Observation): void {
    const { canFork, roundTripMs } = this.#limits;
    if (now.isLarge && canFork) {
      const isFar = roundTripMs >= farMs;
      const connections = isFar ? moreConnections : fewConnections;
      if (isFar) this.#reason = `PostgreSQL is ${describeDistance(roundTripMs)} away`;
      this.#change(now, { workers: 1, isInside: false, connections });
      this.#why = 'the work ended before anything could be measured';
    } else if (!this.#crew.isInside) {
      this.#change(now, { workers: 0, isInside: true, connections: fewConnections });
      this.#why = canFork ? 'so little work is loaded without forking' : 'inline workers';
    } else if (now.isPressed && now.isComplete) {
      // Several pages, or several small collections.
      const connections = Math.min(this.#crew.connections * 2, moreConnections);
      if (connections > this.#crew.connections) this.#change(now, { ...this.#crew, connections });
    }
  }

  #grow(now: Observation): void {
    const { seen, nowMs } = now;
    if (!this.#isSeen(now)) return;
    if (seen.stalledShare >= stalledShare) {
      if (nowMs >= this.#restsUntilMs) this.#tryMore(now);
    } else if (!now.isPressed) {
      this.#why = 'no batch had to wait for a worker';
    } else if (seen.transcodeShare >= busyShare) {
      this.#fork(now);
    }
  }

  /** Adds a worker if possible. */
  #fork(now: Observation): void {
    const { workers } = this.#crew;
    const obstacle = this.#findObstacle(now);
    if (obstacle !== null) {
      this.#why = obstacle;
      return;
    }
    const crew = { ...this.#crew, workers: Math.min(this.#limits.cores, workers * 2) };
    this.#change(now, this.#hasRoomFor(crew) ? crew : { ...crew, workers: workers + 1 });
  }

  /** Why no worker is added, although all are busy. */
  #findObstacle(now: Observation): string | null {
    const { workers, isInside } = this.#crew;
    if (isInside) return 'the thread of the primary was busy';
    if (workers >= this.#limits.cores) return 'one a core';
    if (!this.#hasRoomFor({ ...this.#crew, workers: workers + 1 })) return noConnections;
    if (!isWorthFork(now, workers)) return 'the remaining work was not worth another fork';
    return isFull(now.seen) ? describeFull(now.seen) : null;
  }

  /** If all wait for Postgres, tries more connections, and then more workers. */
  #tryMore(now: Observation): void {
    const { seen } = now;
    const isFar = (seen.roundTripMs ?? this.#limits.roundTripMs) >= farMs;
    if (!isFar && isFull(seen)) {
      this.#why = describeFull(seen);
      return;
    }
    const crew = this.#nextFor(now);
    if (crew === null) return;
    this.#trial = { before: this.#crew, bytesPerMs: seen.bytesPerMs };
    this.#change(now, crew);
  }

  #nextFor(now: Observation): Crew | null {
    const { workers, connections, isInside } = this.#crew;
    const { maxWorkers } = this.#limits;
    const wider = { ...this.#crew, connections: Math.min(connections * 2, maxConnectionsPerWorker) };
    if (connections < maxConnectionsPerWorker) {
      if (this.#hasRoomFor(wider)) return wider;
      this.#why = noConnections;
      return null;
    }
    const larger = { ...this.#crew, workers: Math.min(workers * 2, maxWorkers) };
    if (isInside || workers >= maxWorkers) this.#why = 'as many as the settings allow';
    else if (!isWorthFork(now, workers)) this.#why = 'the remaining work was not worth another fork';
    else if (this.#hasRoomFor(larger)) return larger;
    else this.#why = noConnections;
    return null;
  }

  #judge(now: Observation, { before, bytesPerMs }: { before: Crew; bytesPerMs: number }): void {
    if (!this.#isSeen(now)) return;
    this.#trial = undefined;
    if (now.seen.bytesPerMs >= bytesPerMs * worthwhileGain) {
      this.#reason = describeWait(now.seen);
      this.#why = 'more were not needed';
      this.#grow(now);
      return;
    }
    this.#why = 'more connections did not help';
    this.#restsUntilMs = now.nowMs + restMs;
    this.#change(now, before);
  }

  #isSeen({ nowMs, seen }: Observation): boolean {
    const enough = Math.max(minAcks, this.#crew.connections);
    return nowMs - this.#changedAtMs >= minSeenMs && seen.acks >= enough;
  }

  #hasRoomFor({ workers, isInside, connections }: Crew): boolean {
    return (workers + (isInside ? 1 : 0)) * connections <= this.#limits.maxConnections;
  }

  #change({ nowMs }: Observation, crew: Crew): void {
    const most = Math.max(1, this.#limits.maxConnections);
    this.#crew = { ...crew, connections: Math.min(crew.connections, most, maxConnectionsPerWorker) };
    this.#changedAtMs = nowMs;
  }
}

const noConnections = 'PostgreSQL has no more connections left';

function isWorthFork({ bytesLeft }: Observation, workers: number): boolean {
  return bytesLeft / (workers + 1) >= forkBytes;
}

function isFull(seen: Seen): boolean {
  return (seen.processorShare() ?? 0) >= fullProcessorShare;
}

function describeFull(seen: Seen): string {
  return `the processors were busy (${formatPercent(seen.processorShare() ?? 1)})`;
}

function describeWait({ roundTripMs }: Seen): string {
  const isFar = roundTripMs !== null && roundTripMs >= farMs;
  return `all waited for PostgreSQL${isFar ? `, ${describeDistance(roundTripMs)} away` : ''}`;
}

function describeDistance(roundTripMs: number): string {
  return `${Math.round(roundTripMs)} ms`;
}
