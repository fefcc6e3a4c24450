/** The load of one run: reads its ranges, has the workers commit them, and keeps count of both. */

import type { Config } from './config.ts';
import { ExitCode, MigrationError, SourceError } from './errors.ts';
import type { RunEvent } from './events.ts';
import { reachFailpoint } from './failpoints.ts';
import { formatPlural } from './format.ts';
import type { RunMeter } from './measure/run-meter.ts';
import type { Ack, Batch } from './pool/protocol.ts';
import type { Supervisor } from './pool/supervisor.ts';
import { requireLead } from './postgres/lead.ts';
import { readGaps, replaceRanges, splitRange, type RangeEnds } from './postgres/ranges.ts';
import type { OpenRun } from './postgres/run-opening.ts';
import { flushCommits, markLoaded, readTotals } from './postgres/runs.ts';
import type { Session } from './postgres/session.ts';
import type { Division } from './reading/division.ts';
import type { Range } from './reading/range-reading.ts';
import { readRanges, type ReadersOptions } from './reading/readers.ts';
import type { Page, Source } from './source/source.ts';
import { reportProgress } from './workforce.ts';

export interface RunLoadOptions {
  readonly config: Config;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  readonly division: Division;
  readonly meter: RunMeter;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

export class RunLoad {
  readonly #options: RunLoadOptions;
  readonly #run: OpenRun;
  #startedMs = 0;
  #read: number;
  #settled: number;
  #bytes: number;
  #deadLetters: number;
  #duplicates = 0;
  #nextBatch: number;

  constructor(run: OpenRun, options: RunLoadOptions) {
    this.#run = run;
    this.#options = options;
    const { documents, bytes, deadLettered } = run.committed;
    this.#read = documents;
    this.#settled = documents;
    this.#bytes = bytes;
    this.#deadLetters = deadLettered;
    this.#nextBatch = run.nextBatch;
  }

  /** What was read, by earlier processes as well, and the acks that told of batches committed before. */
  get account(): { readonly read: number; readonly duplicates: number } {
    return { read: this.#read, duplicates: this.#duplicates };
  }

  /** To be called for each batch of this run that is settled. */
  onSettled(batch: Batch): void {
    const { source, supervisor, onEvent } = this.#options;
    this.#settled += batch.count;
    this.#bytes += batch.documents.byteLength;
    const progress = reportProgress(supervisor, {
      source: source.name,
      documents: this.#settled,
      bytes: this.#bytes,
      committedBefore: this.#run.committed.documents,
      deadLettered: this.#deadLetters,
      elapsedMs: performance.now() - this.#startedMs,
    });
    onEvent(progress);
  }

  /** To be called for each ack of this run that is applied. */
  onAck(ack: Ack): void {
    this.#deadLetters += ack.deadLettered;
    if (ack.isDuplicate) this.#duplicates++;
  }

  /** Reads every range and has it loaded; resolves when all is committed and on disk. */
  async execute(): Promise<void> {
    const { division, meter, source } = this.#options;
    this.#startedMs = performance.now();
    meter.beginLoad(division.readers);
    let { ranges, isLoaded } = this.#run;
    while (!isLoaded) {
      const ends = await this.#readRanges(ranges);
      await this.#drain();
      this.#requireGoOn();
      await reachFailpoint('primary-before-load-checkpoint');
      await source.requireUnchanged();
      ranges = await this.#closeRanges(ends);
      isLoaded = ranges.length === 0;
    }
    meter.endLoad();
  }

  async #readRanges(ranges: readonly Range[]): Promise<RangeEnds> {
    const { config, division, signal } = this.#options;
    try {
      return await readRanges(ranges, {
        source: this.#timedSource(),
        division,
        itemsPerPage: config.itemsPerPage,
        handOver: (page, place) => this.#handOver(page, place),
        split: (range, cutId) => this.#split(range, cutId),
        isToStop: () => this.#isToStop(),
      });
    } catch (error) {
      // What was read before is handed over, and worth keeping.
      if (error instanceof SourceError || signal.aborted) await this.#drain().catch(() => undefined);
      throw error;
    }
  }

  #drain(): Promise<void> {
    return this.#options.meter.time('drain', this.#options.supervisor.drain());
  }

  #timedSource(): ReadersOptions['source'] {
    const { source, meter } = this.#options;
    return {
      pages: (interval, itemsPerPage) => meter.timePages(source.pages(interval, itemsPerPage)),
      idsWithin: (ids, interval) => source.idsWithin(ids, interval),
    };
  }

  /** Numbers are given out in the order in which the pages of a range are read, whatever comes in between. */
  async #handOver(page: Page, place: Pick<Range, 'rangeNo' | 'afterId'>): Promise<void> {
    const { meter, supervisor } = this.#options;
    const number = this.#nextBatch;
    this.#nextBatch += page.count;
    this.#read += page.count;
    await meter.time('room', supervisor.submit({ number, ...place, ...page }));
    if (this.#settled > this.#run.committed.documents) await reachFailpoint('primary-after-ack');
  }

  async #split(range: Range, cutId: Uint8Array): Promise<Range> {
    const rest = await this.#options.session.transaction((client) =>
      splitRange(client, this.#run, range, cutId),
    );
    await reachFailpoint('primary-after-split');
    return rest;
  }

  /**
   * Workers commit without waiting for the disk, so that a crash of Postgres can take back what was acked. Once all is
   * flushed, the ledger tells what is missing.
   * @returns the ranges to be read again; none when all is there for good
   */
  async #closeRanges(ends: RangeEnds): Promise<Range[]> {
    const { session, onEvent } = this.#options;
    const run = this.#run;
    await session.transaction((client) => flushCommits(client, run));
    return await session.transaction(async (client) => {
      await requireLead(client, run);
      const gaps = await readGaps(client, run.runId, ends);
      if (gaps.length === 0) {
        await markLoaded(client, run);
        return [];
      }
      const { documents, deadLettered } = await readTotals(client, run.runId);
      const lost = formatPlural(this.#read - documents, 'document');
      onEvent({
        kind: 'notice',
        message: `a crash of PostgreSQL took back ${lost}, which are read again`,
      });
      this.#read = documents;
      this.#settled = documents;
      this.#deadLetters = deadLettered;
      return await replaceRanges(client, run.runId, gaps);
    });
  }

  #isToStop(): boolean {
    return this.#options.signal.aborted || this.#hasTooManyDeadLetters();
  }

  #hasTooManyDeadLetters(): boolean {
    const { maxDeadLetters } = this.#options.config;
    return maxDeadLetters !== undefined && this.#deadLetters > maxDeadLetters;
  }

  /** @throws when the run is to end before all is read */
  #requireGoOn(): void {
    this.#options.signal.throwIfAborted();
    if (!this.#hasTooManyDeadLetters()) return;
    const count = formatPlural(this.#deadLetters, 'document');
    throw new MigrationError(
      ExitCode.deadLetters,
      `${count} became dead letters, more than MAX_DEAD_LETTERS`,
      {
        fix: 'look at mongo2pg.dead_letters for the reasons; raise MAX_DEAD_LETTERS if that is as it should be.',
      },
    );
  }
}
