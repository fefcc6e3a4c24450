/**
 * Reads a collection, or the ranges of it that this host takes, has the workers compare each page, and counts what they find: in
 * one tally, or with several hosts in one for each range, which the ledger keeps.
 */

import type { Config } from '../../config/config.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Ack } from '../../observe/ack.ts';
import type { RunEvent } from '../../observe/events.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import { Tally } from '../../postgres/compare/tally.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { HostRangeQueue } from '../../postgres/ledger/hosts/host-range-queue.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import { VerificationRanges } from '../../postgres/ledger/hosts/verification-ranges.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import type { Run } from '../../postgres/ledger/runs.ts';
import type { Batch } from '../../source/page.ts';
import { Division } from '../../source/reading/division.ts';
import { MemoryRangeQueue } from '../../source/reading/range-queue.ts';
import { readRanges, type ReadersOptions } from '../../source/reading/readers.ts';
import type { Source } from '../../source/source.ts';
import type { RunHandle } from '../../workers/supervisor/run-handle.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { readQueue } from '../collection/phases/queue-reading.ts';
import { reportProgress, workerTarget, type WorkerConfig } from '../workforce.ts';
import { PageSample } from './page-sample.ts';

export interface ComparingOptions {
  readonly config: WorkerConfig & Pick<Config, 'sample' | 'itemsPerPage' | 'readRanges'>;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  readonly run: Run;
  readonly division: Division;
  readonly expectedDocuments: number;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
  /** See `VerificationOptions`. */
  readonly repair?: FollowedCollection;
  /** Set if several hosts compare. */
  readonly shared?: SharedComparing;
}

export interface SharedComparing {
  readonly verificationId: string;
  readonly hosts: HostWork;
  /** See `HostRangeQueueOptions`. */
  readonly waitsForAll: boolean;
}

export class Comparing implements RunListener {
  readonly #options: ComparingOptions;
  readonly #startedMs = performance.now();
  /** Of this process. */
  readonly #tally = new Tally();
  readonly #ranges: VerificationRanges | undefined;
  readonly #queue: HostRangeQueue | undefined;
  #settled = 0;

  constructor(options: ComparingOptions) {
    this.#options = options;
    const { session, shared } = options;
    if (shared === undefined) return;
    const { verificationId, hosts, waitsForAll } = shared;
    this.#ranges = new VerificationRanges(verificationId, hosts);
    this.#queue = new HostRangeQueue({ session, ranges: this.#ranges, waitsForAll });
  }

  /** What this process has compared. */
  get tally(): Tally {
    return this.#tally;
  }

  /** How many ranges this host has compared, with several hosts. */
  get ranges(): number {
    return this.#queue?.finished ?? 0;
  }

  onAck(_workerId: string, { comparison, retries: times }: Ack, settled: readonly Batch[]): void {
    if (times !== undefined) {
      this.#options.onEvent({ kind: 'retried', server: 'postgres', times, reason: null });
    }
    if (comparison === undefined) return;
    const [batch] = settled;
    for (const tally of this.#talliesOf(batch)) tally.addComparison(comparison);
  }

  onSettled(batch: Batch): void {
    this.#settled += batch.documentCount;
    for (const tally of this.#talliesOf(batch)) tally.countBytes(batch.bytes.byteLength);
    const { onEvent, source, supervisor, expectedDocuments } = this.#options;
    const { bytes, deadLettered, dropped } = this.#tally.counts;
    const progress = reportProgress(supervisor, {
      source: source.name,
      documents: this.#settled,
      bytes,
      expectedDocuments,
      committedBefore: 0,
      deadLettered,
      dropped,
      elapsedMs: performance.now() - this.#startedMs,
    });
    onEvent(progress);
    this.#queue?.countSettled(batch);
  }

  /** Resolves when all is compared. @throws MigrationError, or the signal's reason */
  async execute(): Promise<void> {
    const { config, supervisor, run, repair, source, expectedDocuments } = this.#options;
    const { runId, settings } = run;
    const target = { ...workerTarget(config), runId, plan: settings.plan };
    const work =
      repair === undefined
        ? supervisor.begin({ ...target, purpose: 'compare' }, this)
        : supervisor.begin({ ...target, purpose: 'repair', stream: repair }, this);
    work.expect(expectedDocuments);
    try {
      if (this.#queue === undefined) await this.#readAll(work);
      else await this.#readShared(work, this.#queue);
      await source.requireUnchanged();
    } finally {
      work.end();
    }
  }

  async #readAll(work: RunHandle): Promise<void> {
    const { config, division, signal } = this.#options;
    const sample = new PageSample(config.sample);
    const intervals = await division.intervals(config.itemsPerPage);
    await readRanges(new MemoryRangeQueue(intervals), {
      ...this.#reading,
      division,
      handOver: async (batch) => {
        this.#tally.countRead(batch.documentCount);
        if (sample.takes(batch)) await this.#submit(work, batch);
      },
    });
    signal.throwIfAborted();
    const { inReserve } = sample;
    if (inReserve !== null) await this.#submit(work, inReserve);
    await work.drain();
  }

  async #readShared(work: RunHandle, queue: HostRangeQueue): Promise<void> {
    const { config, signal } = this.#options;
    const { readRanges: readers, sample } = config;
    await readQueue(queue, {
      ...this.#reading,
      // Without a way to divide: a range is small enough to be compared by one reader.
      division: new Division({}, readers),
      signal,
      drain: () => work.drain(),
      handOver: async (batch) => {
        for (const tally of this.#talliesOf(batch)) tally.countRead(batch.documentCount);
        if (!isTaken(batch, sample)) return;
        queue.countRead(batch);
        await this.#submit(work, batch);
        await reachFailpoint('host-after-compared-page');
      },
    });
    signal.throwIfAborted();
  }

  get #reading(): Pick<ReadersOptions, 'source' | 'itemsPerPage' | 'isToStop'> {
    const { config, source, signal } = this.#options;
    return { source, itemsPerPage: config.itemsPerPage, isToStop: () => signal.aborted };
  }

  async #submit(work: RunHandle, batch: Batch): Promise<void> {
    for (const tally of this.#talliesOf(batch)) tally.countCompared(batch.documentCount);
    await work.submit(batch);
  }

  #talliesOf(batch: Batch | undefined): Tally[] {
    if (this.#ranges === undefined || batch === undefined) return [this.#tally];
    return [this.#tally, this.#ranges.tallyOf(batch.rangeNo)];
  }
}

/** A random share of the pages. Hosts do not know which pages others take: so that there is one, the first page always is. */
function isTaken({ rangeNo, number }: Batch, share: number): boolean {
  return share === 1 || (rangeNo === 1 && number === 1) || Math.random() < share;
}
