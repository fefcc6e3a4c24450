/** The first phase of a run: reads its ranges, has the workers commit them, and counts both. */

import type { Config } from '../../../config/config.ts';
import { ExitCode, MigrationError } from '../../../common/errors.ts';
import type { RunEvent } from '../../../observe/events.ts';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import { formatPlural } from '../../../common/format.ts';
import type { RunMeter } from '../../../observe/run-meter.ts';
import type { Phase } from './phase.ts';
import type { RunListener } from '../../../observe/run-listener.ts';
import type { RunHandle } from '../../../workers/supervisor/run-handle.ts';
import type { Supervisor } from '../../../workers/supervisor/supervisor.ts';
import { requireExclusiveLeadership } from '../../../postgres/ledger/leadership.ts';
import type { CopyAccount } from '../../../observe/status.ts';
import { finishCopy } from '../../../postgres/ledger/phases.ts';
import { CopyRanges } from '../../../postgres/ledger/hosts/copy-ranges.ts';
import { HostRangeQueue } from '../../../postgres/ledger/hosts/host-range-queue.ts';
import { countRead } from '../../../postgres/ledger/hosts/host-ranges.ts';
import { queueOfRun, type HostWork } from '../../../postgres/ledger/hosts/host-work.ts';
import { LedgerRangeQueue } from '../../../postgres/ledger/range-queue.ts';
import { prepareRelay } from '../../../postgres/ledger/relay.ts';
import { readGaps, replaceRanges } from '../../../postgres/ledger/ranges.ts';
import { readCitus } from '../../../postgres/connection/citus.ts';
import { inOneTrip } from '../../../postgres/connection/one-trip.ts';
import { settleTransactions } from '../../../postgres/connection/prepared-transactions.ts';
import type { OpenRun } from '../../../postgres/table/run-opening.ts';
import { flushCommits, readTotals } from '../../../postgres/ledger/runs.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import type { Division } from '../../../source/reading/division.ts';
import { requireCopied } from '../account.ts';
import type { Batch, Range } from '../../../source/page.ts';
import type { Source } from '../../../source/source.ts';
import { workerTarget, type WorkerConfig } from '../../workforce.ts';
import { CopyProgress } from './copy-progress.ts';
import { readQueue } from './queue-reading.ts';

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
  /** Set if several hosts copy and this one leads. */
  readonly hosts?: HostWork;
}

export class CopyPhase implements RunListener, Phase<CopyAccount> {
  readonly #options: CopyPhaseOptions;
  readonly #run: OpenRun;
  /** The run on the workers. */
  readonly #work: RunHandle;
  readonly #progress: CopyProgress;
  #read: number;
  #copied: CopyAccount | undefined;
  /** Set while ranges are read that several hosts share. */
  #hostQueue: HostRangeQueue | undefined;

  /** Starts the run on the workers at once, so that they are ready when the first page arrives. */
  constructor(run: OpenRun, options: CopyPhaseOptions) {
    this.#run = run;
    this.#options = options;
    this.#read = run.committed.documentCount;
    const { config, source, supervisor, observers, onEvent } = options;
    this.#progress = new CopyProgress(run.committed, { source: source.name, supervisor, onEvent });
    const { runId, settings } = run;
    this.#work = supervisor.begin(
      { ...workerTarget(config), purpose: 'load', runId, plan: settings.plan },
      ...observers,
      this.#progress,
      this,
    );
  }

  /** Documents read, by earlier processes too. `duplicates` are acks of batches that were already committed. */
  get account(): { readonly read: number; readonly duplicates: number; readonly unmatchedAcks: number } {
    return {
      read: this.#read,
      duplicates: this.#progress.duplicates,
      unmatchedAcks: this.#work.unmatchedAcks,
    };
  }

  /** Approximate number of documents. */
  expect(documents: number): void {
    this.#progress.expectedDocuments = documents;
    this.#work.expect(documents - this.#run.committed.documentCount);
  }

  onSettled(batch: Batch): void {
    this.#hostQueue?.countSettled(batch);
  }

  get isDone(): boolean {
    return this.#run.isLoaded || this.#copied !== undefined;
  }

  /** Reads and loads every range; resolves when all is committed and flushed to disk. */
  async execute(): Promise<CopyAccount> {
    const { config, session, division, meter, source } = this.#options;
    if (config.citusNodeUrl !== undefined) await prepareRelay(session);
    this.#progress.start();
    meter.beginLoad(division.readers, () => source.heldMs ?? 0);
    let { ranges } = this.#run;
    while (this.#copied === undefined) {
      await this.#readRanges(ranges);
      this.#requireMayContinue();
      await reachFailpoint('primary-before-load-checkpoint');
      await source.requireUnchanged();
      ranges = await this.#closeRanges();
    }
    meter.endLoad();
    return this.#copied;
  }

  /** To be called when the phase is over, also after an error. */
  end(): void {
    this.#work.end();
  }

  async #readRanges(ranges: readonly Range[]): Promise<void> {
    const { config, division, source, meter, signal } = this.#options;
    await readQueue(this.#openQueue(ranges), {
      source,
      division,
      itemsPerPage: config.itemsPerPage,
      signal,
      handOver: (batch) => this.#handOver(batch),
      drain: () => meter.time('drain', this.#work.drain()),
      isToStop: () => this.#isToStop(),
      timed: (page) => meter.time('read', page),
    });
  }

  #openQueue(ranges: readonly Range[]): LedgerRangeQueue | HostRangeQueue {
    const { config, session, hosts } = this.#options;
    if (hosts === undefined) return new LedgerRangeQueue(session, this.#run, ranges);
    const { runId } = this.#run;
    const countsDeadLetters = config.maxDeadLetters !== undefined;
    const shared = new CopyRanges(runId, hosts, countsDeadLetters);
    this.#hostQueue = new HostRangeQueue({ session, ranges: shared, waitsForAll: true });
    return this.#hostQueue;
  }

  async #handOver(batch: Batch): Promise<void> {
    this.#read += batch.documentCount;
    this.#hostQueue?.countRead(batch);
    await this.#options.meter.time('room', this.#work.submit(batch));
    if (this.#progress.documents > this.#run.committed.documentCount) {
      await reachFailpoint('primary-after-ack');
    }
  }

  /**
   * Workers commit asynchronously, so that a crash of Postgres can lose acked batches. After a flush, the ledger shows what is missing.
   * @returns the ranges to be read again; none if everything is committed durably
   */
  async #closeRanges(): Promise<Range[]> {
    const { config, session, onEvent, hosts, signal } = this.#options;
    const run = this.#run;
    const [, citus] = await session.run((client) =>
      inOneTrip(client, () => flushCommits(client, run), readCitus),
    );
    // What a node has decided may not be committed here yet. Without this, the locks below would wait for it.
    if (citus !== null) {
      await settleTransactions(session, { retryLimitMs: config.retrySeconds * 1000, signal });
    }
    return await session.transaction(async (client) => {
      await requireExclusiveLeadership(client, run);
      const gaps = await readGaps(client, run.runId, true);
      // Only the ledger knows what other hosts have read.
      if (hosts !== undefined) this.#read = await countRead(client, run.runId);
      if (gaps.length === 0) {
        this.#copied = requireCopied(await finishCopy(client, run, this.#read));
        await hosts?.jobs.close(client, queueOfRun(run.runId));
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
      this.#progress.correct({ documentCount, deadLettered, dropped });
      const opened = await replaceRanges(client, run.runId, gaps);
      await hosts?.jobs.enqueue(client, queueOfRun(run.runId), opened);
      return opened;
    });
  }

  #isToStop(): boolean {
    return this.#options.signal.aborted || this.#hasTooManyDeadLetters();
  }

  /** Its own are known at once, and those of other hosts whenever the ledger is asked. */
  get #deadLetters(): number {
    return Math.max(this.#progress.deadLetters, this.#hostQueue?.deadLetters ?? 0);
  }

  #hasTooManyDeadLetters(): boolean {
    const { maxDeadLetters } = this.#options.config;
    return maxDeadLetters !== undefined && this.#deadLetters > maxDeadLetters;
  }

  /** @throws MigrationError if there are too many dead letters; the signal's reason if the run was interrupted */
  #requireMayContinue(): void {
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
