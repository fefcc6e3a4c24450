/** The first phase of a run, which copies: reads its ranges, has the workers commit them, and keeps count of both. */

import type { Config } from '../../../config/config.ts';
import { ExitCode, MigrationError, SourceError } from '../../../common/errors.ts';
import type { RunEvent } from '../../../observe/events.ts';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import { formatPlural } from '../../../common/format.ts';
import type { RunMeter } from '../../../observe/run-meter.ts';
import type { Phase } from './phase.ts';
import type { RunListener } from '../../../observe/run-listener.ts';
import type { RunHandle } from '../../../workers/supervisor/run-handle.ts';
import type { Supervisor } from '../../../workers/supervisor/supervisor.ts';
import { requireLeadAlone } from '../../../postgres/ledger/lead.ts';
import type { CopyAccount } from '../../../observe/status.ts';
import { finishCopy } from '../../../postgres/ledger/phases.ts';
import { HostRangeQueue } from '../../../postgres/ledger/hosts/host-range-queue.ts';
import { countRead } from '../../../postgres/ledger/hosts/host-ranges.ts';
import type { HostWork } from '../../../postgres/ledger/hosts/host-work.ts';
import { LedgerRangeQueue } from '../../../postgres/ledger/range-queue.ts';
import { readGaps, replaceRanges } from '../../../postgres/ledger/ranges.ts';
import type { OpenRun } from '../../../postgres/table/run-opening.ts';
import { flushCommits, readTotals } from '../../../postgres/ledger/runs.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import type { Division } from '../../../source/reading/division.ts';
import { readRanges } from '../../../source/reading/readers.ts';
import { requireCopied } from '../account.ts';
import type { Batch, Range } from '../../../source/page.ts';
import type { Source } from '../../../source/source.ts';
import { reportProgress, workerTarget, type WorkerConfig } from '../../workforce.ts';
import type { Ack } from '../../../observe/ack.ts';

export interface CopyPhaseOptions {
  readonly config: WorkerConfig & Pick<Config, 'itemsPerPage' | 'maxDeadLetters'>;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  readonly division: Division;
  readonly meter: RunMeter;
  /** Further listeners to the workers of this load. */
  readonly observers: readonly RunListener[];
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
  /** Where several hosts copy: this is the one that leads. */
  readonly hosts?: HostWork;
}

export class CopyPhase implements RunListener, Phase<CopyAccount> {
  readonly #options: CopyPhaseOptions;
  readonly #run: OpenRun;
  /** The run as the workers know it. */
  readonly #work: RunHandle;
  #expectedDocuments = 0;
  #startedMs = 0;
  #read: number;
  #settled: number;
  #bytes: number;
  #deadLetters: number;
  #dropped: number;
  #duplicates = 0;
  #copied: CopyAccount | undefined;
  /** While ranges are read that several hosts share. */
  #hostQueue: HostRangeQueue | undefined;

  /** Starts the run on the workers at once, so that they are ready when the first page arrives. */
  constructor(run: OpenRun, options: CopyPhaseOptions) {
    this.#run = run;
    this.#options = options;
    const { documentCount, bytes, deadLettered, dropped } = run.committed;
    this.#read = documentCount;
    this.#settled = documentCount;
    this.#bytes = bytes;
    this.#deadLetters = deadLettered;
    this.#dropped = dropped;
    const { config, supervisor, observers } = options;
    const { runId, settings } = run;
    this.#work = supervisor.begin(
      { ...workerTarget(config), purpose: 'load', runId, plan: settings.plan },
      ...observers,
      this,
    );
  }

  /** Documents read, by earlier processes too. `duplicates` are acks of batches that were already committed. */
  get account(): { readonly read: number; readonly duplicates: number; readonly unmatchedAcks: number } {
    return { read: this.#read, duplicates: this.#duplicates, unmatchedAcks: this.#work.unmatchedAcks };
  }

  /** About how many documents there are. */
  expect(documents: number): void {
    this.#expectedDocuments = documents;
    this.#work.expect(documents - this.#run.committed.documentCount);
  }

  onSettled(batch: Batch): void {
    const { source, supervisor, onEvent } = this.#options;
    this.#settled += batch.documentCount;
    this.#bytes += batch.bytes.byteLength;
    this.#hostQueue?.countSettled(batch);
    const progress = reportProgress(supervisor, {
      source: source.name,
      documents: this.#settled,
      bytes: this.#bytes,
      expectedDocuments: this.#expectedDocuments,
      committedBefore: this.#run.committed.documentCount,
      deadLettered: this.#deadLetters,
      dropped: this.#dropped,
      elapsedMs: performance.now() - this.#startedMs,
    });
    onEvent(progress);
  }

  onAck(_workerId: string, ack: Ack): void {
    this.#deadLetters += ack.deadLettered;
    this.#dropped += ack.dropped;
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
    meter.beginLoad(division.readers, () => source.heldMs ?? 0);
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
    const { config, division, source, meter, signal } = this.#options;
    const queue = this.#openQueue(ranges);
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
      // The pages before the error are on their way to Postgres. A resumed run need not read them again.
      if (error instanceof SourceError || signal.aborted) await this.#drain().catch(() => undefined);
      await queue.settle().catch(() => undefined);
      throw error;
    }
    await queue.settle();
  }

  #openQueue(ranges: readonly Range[]): LedgerRangeQueue | HostRangeQueue {
    const { session, hosts } = this.#options;
    if (hosts === undefined) return new LedgerRangeQueue(session, this.#run, ranges);
    const { runId } = this.#run;
    this.#hostQueue = new HostRangeQueue({ session, runId, ...hosts, waitsForAll: true });
    return this.#hostQueue;
  }

  #drain(): Promise<void> {
    return this.#options.meter.time('drain', this.#work.drain());
  }

  async #handOver(batch: Batch): Promise<void> {
    this.#read += batch.documentCount;
    this.#hostQueue?.countRead(batch);
    await this.#options.meter.time('room', this.#work.submit(batch));
    if (this.#settled > this.#run.committed.documentCount) await reachFailpoint('primary-after-ack');
  }

  /**
   * Workers commit without waiting for the disk, so that a crash of Postgres can take back what was acked. Once all is
   * flushed, the ledger shows what is missing.
   * @returns the ranges to be read again; none when all is there for good
   */
  async #closeRanges(): Promise<Range[]> {
    const { session, onEvent, hosts } = this.#options;
    const run = this.#run;
    await session.transaction((client) => flushCommits(client, run));
    return await session.transaction(async (client) => {
      await requireLeadAlone(client, run);
      const gaps = await readGaps(client, run.runId, true);
      // What others have read is known by the ledger alone.
      if (hosts !== undefined) this.#read = await countRead(client, run.runId);
      if (gaps.length === 0) {
        this.#copied = requireCopied(await finishCopy(client, run, this.#read));
        await hosts?.jobs.close(client, run.runId);
        return [];
      }
      const { documentCount, deadLettered, dropped } = await readTotals(client, run.runId);
      const lost = formatPlural(this.#read - documentCount, 'document');
      onEvent({
        kind: 'notice',
        source: run.settings.source,
        message: `a crash of PostgreSQL lost ${lost}; they are read again`,
      });
      this.#read = documentCount;
      this.#settled = documentCount;
      this.#deadLetters = deadLettered;
      this.#dropped = dropped;
      const opened = await replaceRanges(client, run.runId, gaps);
      await hosts?.jobs.enqueue(client, run.runId, opened);
      return opened;
    });
  }

  #isToStop(): boolean {
    return this.#options.signal.aborted || this.#hasTooManyDeadLetters();
  }

  #hasTooManyDeadLetters(): boolean {
    const { maxDeadLetters } = this.#options.config;
    return maxDeadLetters !== undefined && this.#deadLetters > maxDeadLetters;
  }

  /** @throws MigrationError if there are too many dead letters; the signal's reason if the run was interrupted */
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
