/**
 * Whether the work progresses, from events: for a readiness probe. A server that is away is no reason to start a process
 * again, which waits for it already and ends by itself when that takes too long; so a liveness probe asks for less.
 */

import type { Clock } from '../../common/clock.ts';
import type { RunEvent } from '../events.ts';

/** A server that restarts is back by then. */
const outageLimitMs = 30_000;

/** A batch may be slow where nothing is wrong: a table with triggers, a disk that is busy. */
const batchPatienceMs = 120_000;

/** Told about once a second, unless the ledger cannot be read. */
const followingPatienceMs = 30_000;

interface Outage {
  readonly server: string;
  readonly reason: string;
  readonly sinceMs: number;
}

/** `waiting`: for a host that begins a migration, or for changes to merge. */
type Work = 'pages' | 'statements' | 'following' | 'waiting';

export class Readiness {
  readonly #clock: Clock;
  #work: 'none' | Work = 'none';
  #aliveMs = 0;
  #inFlight = 0;
  #outage: Outage | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onEvent(event: RunEvent): void {
    switch (event.kind) {
      case 'started':
      case 'verifying':
        this.#hear('pages');
        return;
      case 'progress':
        this.#inFlight = event.inFlightBatches;
        this.#hear('pages');
        return;
      case 'finishing':
      case 'index':
      case 'summary':
      case 'verified':
        this.#inFlight = 0;
        this.#hear('statements');
        return;
      case 'following':
        this.#hear('following');
        return;
      case 'host-waiting':
      case 'host-merging':
        // A host that does not lead reports nothing else while it merges. A server that is away for too long ends it.
        this.#inFlight = 0;
        this.#hear('waiting');
        return;
      case 'retried':
        // Where a worker has done it again, it has done it.
        if (event.reason === null) return;
        this.#outage ??= { server: event.server, reason: event.reason, sinceMs: this.#clock.nowMs() };
        return;
      case 'cut-over':
      case 'failed':
      case 'host-copied':
      case 'host-compared':
      case 'host-joined':
      case 'host-left':
      case 'lead-taken':
      case 'notice':
      case 'skipped':
      case 'worker-died':
        return;
    }
  }

  /** @returns why it does not progress, for messages; null if it does */
  read(): string | null {
    const quietMs = this.#clock.nowMs() - this.#aliveMs;
    switch (this.#work) {
      case 'none':
        return this.#outage === undefined ? 'nothing is copied yet' : describeOutage(this.#outage);
      case 'pages':
        if (this.#outage !== undefined && this.#clock.nowMs() - this.#outage.sinceMs >= outageLimitMs) {
          return describeOutage(this.#outage);
        }
        return this.#inFlight > 0 && quietMs >= batchPatienceMs
          ? `no batch was committed for ${seconds(quietMs)}`
          : null;
      // Building an index takes its time, without events. So does waiting.
      case 'statements':
      case 'waiting':
        return null;
      case 'following':
        return quietMs >= followingPatienceMs ? `the stream was not heard of for ${seconds(quietMs)}` : null;
    }
  }

  #hear(work: Work): void {
    this.#work = work;
    this.#aliveMs = this.#clock.nowMs();
    this.#outage = undefined;
  }
}

function describeOutage({ server, reason }: Outage): string {
  return `${server} was away, and nothing was committed since: ${reason}`;
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1000)} s`;
}
