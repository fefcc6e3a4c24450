/** The first phase of a run, which copies: reads its ranges, has the workers commit them, and keeps count of both. */

import type { Config, TargetConfig } from '../../config/config.ts';
import { ExitCode, MigrationError, SourceError } from '../../common/errors.ts';
import type { RunEvent } from '../../observe/events.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { formatPlural } from '../../common/format.ts';
import type { RunMeter } from '../../observe/run-meter.ts';
import type { Phase } from '../phase.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import type { RunHandle, Supervisor } from '../../workers/supervisor/supervisor.ts';
import { requireLeadAlone } from '../../postgres/ledger/lead.ts';
import { finishCopy, type CopyAccount } from '../../postgres/ledger/phases.ts';
import { LedgerRangeQueue } from '../../postgres/ledger/range-queue.ts';
import { readGaps, replaceRanges } from '../../postgres/ledger/ranges.ts';
import type { OpenRun } from '../../postgres/table/run-opening.ts';
import { flushCommits, readTotals } from '../../postgres/ledger/runs.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { Division } from '../../source/reading/division.ts';
import { readRanges } from '../../source/reading/readers.ts';
import { requireCopied } from '../account.ts';
import type { Batch, Range } from '../../source/page.ts';
import type { Source } from '../../source/source.ts';
import { reportProgress, workerTarget } from '../workforce.ts';
import type { Ack } from '../../observe/ack.ts';

export interface RunLoadOptions {
  readonly config: TargetConfig & Pick<Config, 'itemsPerPage' | 'maxDeadLetters'>;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  readonly division: Division;
  readonly meter: RunMeter;
  /** Who else hears of the workers of this load. */
  readonly observers: readonly RunListener[];
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

export class RunLoad implements RunListener, Phase<CopyAccount> {
  readonly #options: RunLoadOptions;
  readonly #run: OpenRun;
  /** What the workers have of it. */
  readonly #work: RunHandle;
  /** About how many documents there are, for those who watch. */
  expectedDocuments = 0;
  #startedMs = 0;
  #read: number;
  #settled: number;
  #bytes: number;
  #deadLetters: number;
  #duplicates = 0;
  #copied: CopyAccount | undefined;

  /** The workers begin with it at once, to be ready when the first page has come. */
  constructor(run: OpenRun, options: RunLoadOptions) {
    this.#run = run;
    this.#options = options;
    const { documentCount, bytes, deadLettered } = run.committed;
    this.#read = documentCount;
    this.#settled = documentCount;
    this.#bytes = bytes;
    this.#deadLetters = deadLettered;
    const { config, supervisor, observers } = options;
    const { runId, settings } = run;
    this.#work = supervisor.begin(
      { ...workerTarget(config), purpose: 'load', runId, plan: settings.plan },
      ...observers,
      this,
    );
  }

  /** What was read, by earlier processes as well, and the acks that told of batches committed before, or were not due. */
  get account(): { readonly read: number; readonly duplicates: number; readonly unmatchedAcks: number } {
    return { read: this.#read, duplicates: this.#duplicates, unmatchedAcks: this.#work.unmatchedAcks };
  }

  onSettled(batch: Batch): void {
    const { source, supervisor, onEvent } = this.#options;
    this.#settled += batch.documentCount;
    this.#bytes += batch.bytes.byteLength;
    const progress = reportProgress(supervisor, {
      source: source.name,
      documents: this.#settled,
      bytes: this.#bytes,
      expectedDocuments: this.expectedDocuments,
      committedBefore: this.#run.committed.documentCount,
      deadLettered: this.#deadLetters,
      elapsedMs: performance.now() - this.#startedMs,
    });
    onEvent(progress);
  }

  onAck(_workerId: string, ack: Ack): void {
    this.#deadLetters += ack.deadLettered;
    if (ack.isDuplicate) this.#duplicates++;
    const { retries: times } = ack;
    if (times !== undefined) {
      this.#options.onEvent({ kind: 'retried', server: 'postgres', times, reason: null });
    }
  }

  get isDone(): boolean {
    return this.#run.isLoaded || this.#copied !== undefined;
  }

  /** Reads every range and has it loaded; resolves when all is committed and on disk. */
  async execute(): Promise<CopyAccount> {
    const { division, meter, source } = this.#options;
    this.#startedMs = performance.now();
    meter.beginLoad(division.readers);
    let { ranges } = this.#run;
    while (this.#copied === undefined) {
      await this.#readRanges(ranges);
      await this.#drain();
      this.#requireGoOn();
      await reachFailpoint('primary-before-load-checkpoint');
      await source.requireUnchanged();
      ranges = await this.#closeRanges();
    }
    meter.endLoad();
    return this.#copied;
  }

  /** To be called when nothing more is to come, one way or the other. */
  end(): void {
    this.#work.end();
  }

  async #readRanges(ranges: readonly Range[]): Promise<void> {
    const { config, session, division, source, meter, signal } = this.#options;
    const queue = new LedgerRangeQueue(session, this.#run, ranges);
    try {
      await readRanges(queue, {
        source,
        division,
        itemsPerPage: config.itemsPerPage,
        handOver: (batch) => this.#handOver(batch),
        isToStop: () => this.#isToStop(),
        timed: (page) => meter.time('read', page),
      });
    } catch (error) {
      // What was read before is handed over, and worth keeping.
      if (error instanceof SourceError || signal.aborted) await this.#drain().catch(() => undefined);
      await queue.settle().catch(() => undefined);
      throw error;
    }
    await queue.settle();
  }

  #drain(): Promise<void> {
    return this.#options.meter.time('drain', this.#work.drain());
  }

  async #handOver(batch: Batch): Promise<void> {
    this.#read += batch.documentCount;
    await this.#options.meter.time('room', this.#work.submit(batch));
    if (this.#settled > this.#run.committed.documentCount) await reachFailpoint('primary-after-ack');
  }

  /**
   * Workers commit without waiting for the disk, so that a crash of Postgres can take back what was acked. Once all is
   * flushed, the ledger tells what is missing.
   * @returns the ranges to be read again; none when all is there for good
   */
  async #closeRanges(): Promise<Range[]> {
    const { session, onEvent } = this.#options;
    const run = this.#run;
    await session.transaction((client) => flushCommits(client, run));
    return await session.transaction(async (client) => {
      await requireLeadAlone(client, run);
      const gaps = await readGaps(client, run.runId, true);
      if (gaps.length === 0) {
        this.#copied = requireCopied(await finishCopy(client, run, this.#read));
        return [];
      }
      const { documentCount, deadLettered } = await readTotals(client, run.runId);
      const lost = formatPlural(this.#read - documentCount, 'document');
      onEvent({
        kind: 'notice',
        source: run.settings.source,
        message: `a crash of PostgreSQL lost ${lost}; they are read again`,
      });
      this.#read = documentCount;
      this.#settled = documentCount;
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
        code: 'TOO_MANY_DEAD_LETTERS',
        fix: 'see mongo2pg.dead_letters for the reasons; raise MAX_DEAD_LETTERS if they are expected.',
      },
    );
  }
}
