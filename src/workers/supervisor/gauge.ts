/** Computes, from acks, measurements of the workers since the crew was last changed. */

import { readProcessorTimes, shareBetween, type ProcessorTimes } from '../../observe/processors.ts';
import type { Ack } from '../../observe/ack.ts';
import type { Seen } from './crew.ts';

interface Account {
  /** The times in the first ack lie partly before the change, and are not counted. */
  readonly sinceMs: number;
  lastMs: number;
  acks: number;
  transcodeMs: number;
  stalledMs: number;
}

export class Gauge {
  readonly #nowMs: () => number;
  readonly #readProcessors: () => ProcessorTimes;
  readonly #accounts = new Map<string, Account>();
  #processors: ProcessorTimes | undefined;
  #sinceMs = 0;
  #bytes = 0;
  #roundTripMs: number | null = null;

  constructor(nowMs: () => number, readProcessors = readProcessorTimes) {
    this.#nowMs = nowMs;
    this.#readProcessors = readProcessors;
  }

  /** Discards the measurements, since the crew has changed. */
  reset(): void {
    this.#accounts.clear();
    this.#processors = undefined;
    this.#bytes = 0;
    this.#roundTripMs = null;
  }

  /** @param bytes that the ack has settled */
  hear(workerId: string, { transcodeMs, stalledMs, steps }: Ack, bytes: number): void {
    const nowMs = this.#nowMs();
    if (steps !== undefined) {
      const roundTripMs = Math.min(steps.claimMs, steps.commitMs);
      this.#roundTripMs = Math.min(this.#roundTripMs ?? Infinity, roundTripMs);
    }
    const account = this.#accounts.get(workerId);
    if (account === undefined) {
      this.#accounts.set(workerId, { sinceMs: nowMs, lastMs: nowMs, acks: 0, transcodeMs: 0, stalledMs: 0 });
      if (this.#processors === undefined) {
        this.#processors = this.#readProcessors();
        this.#sinceMs = nowMs;
      }
      return;
    }
    account.lastMs = nowMs;
    account.acks++;
    account.transcodeMs += transcodeMs;
    account.stalledMs += stalledMs;
    this.#bytes += bytes;
  }

  forget(workerId: string): void {
    this.#accounts.delete(workerId);
  }

  /** @param workerIds of the workers to include; those without acks count as idle */
  look(workerIds: readonly string[]): Seen {
    const accounts = workerIds.map((id) => this.#accounts.get(id));
    const least = (pick: (account: Account) => number): number =>
      Math.min(...accounts.map((account) => (account === undefined ? 0 : pick(account))));
    const share = (ms: number, { sinceMs, lastMs }: Account): number =>
      lastMs > sinceMs ? ms / (lastMs - sinceMs) : 0;
    const elapsedMs = this.#nowMs() - this.#sinceMs;
    return {
      acks: accounts.length === 0 ? 0 : least(({ acks }) => acks),
      transcodeShare: least((account) => share(account.transcodeMs, account)),
      stalledShare: least((account) => share(account.stalledMs, account)),
      roundTripMs: this.#roundTripMs,
      bytesPerMs: elapsedMs > 0 ? this.#bytes / elapsedMs : 0,
      processorShare: () =>
        this.#processors === undefined ? null : shareBetween(this.#processors, this.#readProcessors()),
    };
  }
}
