/** The part of a run that a host copies without leading: it reads ranges, and its own workers load them. */

import { systemClock } from '../../common/clock.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Config } from '../../config/config.ts';
import type { Listeners, RunObserver } from '../../observe/listeners.ts';
import { RunMeter } from '../../observe/run-meter.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import { describePostgres } from '../../postgres/connection/connection.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { CopyRanges } from '../../postgres/ledger/hosts/copy-ranges.ts';
import { HostRangeQueue } from '../../postgres/ledger/hosts/host-range-queue.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import type { SharedRun } from '../../postgres/ledger/hosts/hosts.ts';
import { prepareRelay } from '../../postgres/ledger/relay.ts';
import { requireOnNodes } from '../../postgres/table/distribution.ts';
import type { Batch } from '../../source/page.ts';
import { Division } from '../../source/reading/division.ts';
import type { Source } from '../../source/source.ts';
import { atTransformFile, type Plan, type TransformFile } from '../../transcode/plan.ts';
import type { RunHandle } from '../../workers/supervisor/run-handle.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { CopyProgress } from '../collection/phases/copy-progress.ts';
import { readQueue } from '../collection/phases/queue-reading.ts';
import { workerTarget } from '../workforce.ts';

export interface HostCopyOptions {
  readonly config: Config;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  readonly hosts: HostWork;
  readonly listeners: Listeners;
  readonly signal: AbortSignal;
  /** The transform's module as it is on this host. */
  readonly transform: TransformFile | null;
}

/** What this host has copied of a run. */
export interface HostAccount {
  readonly documents: number;
  readonly ranges: number;
}

/** @throws MigrationError, or the signal's reason; batches in flight are committed first if possible */
export async function copyRanges(run: SharedRun, options: HostCopyOptions): Promise<HostAccount> {
  return await new HostCopy(run, options).execute();
}

/** Each host counts only what it copies itself. */
const nothing = { documentCount: 0, bytes: 0, deadLettered: 0, dropped: 0 };

class HostCopy implements RunListener {
  readonly #options: HostCopyOptions;
  readonly #queue: HostRangeQueue;
  readonly #observers: readonly RunObserver[];
  readonly #work: RunHandle;
  readonly #plan: Plan;
  readonly #progress: CopyProgress;

  constructor(run: SharedRun, options: HostCopyOptions) {
    this.#options = options;
    const { config, session, supervisor, source, hosts, listeners, transform } = options;
    const { runId } = run;
    this.#queue = new HostRangeQueue({ session, ranges: new CopyRanges(runId, hosts), waitsForAll: false });
    const meter = new RunMeter(config.clusterImplementation, systemClock);
    const inFlight = (): Supervisor['inFlight'] => supervisor.inFlight;
    this.#observers = [meter, ...listeners.onRun({ source: source.name, meter, inFlight })];
    this.#plan = atTransformFile(run.settings.plan, transform);
    const { onEvent } = listeners;
    this.#progress = new CopyProgress(nothing, { source: source.name, supervisor, onEvent });
    const settings = { ...workerTarget(config), purpose: 'load', runId, plan: this.#plan } as const;
    supervisor.expect(Infinity);
    this.#work = supervisor.begin(settings, ...this.#observers, this.#progress, this);
  }

  async execute(): Promise<HostAccount> {
    try {
      await this.#prepareNode();
      await this.#announce();
      await this.#read();
      this.#options.signal.throwIfAborted();
      return { documents: this.#progress.documents, ranges: this.#queue.finished };
    } finally {
      this.#work.end();
      for (const observer of this.#observers) observer.onEnd?.();
    }
  }

  onSettled(batch: Batch): void {
    this.#queue.countSettled(batch);
  }

  async #prepareNode(): Promise<void> {
    const { config, session } = this.#options;
    if (config.citusNodeUrl === undefined) return;
    const there = { plan: this.#plan, isNew: false, isWanted: false };
    await session.run((client) => requireOnNodes(client, there));
    await prepareRelay(session);
  }

  async #announce(): Promise<void> {
    const { config, source, supervisor, listeners } = this.#options;
    const expectedDocuments = await source.estimateCount();
    this.#progress.expectedDocuments = expectedDocuments;
    listeners.onEvent({
      kind: 'started',
      source: source.name,
      target: describePostgres(config.postgresUrl),
      plan: this.#plan,
      workers: supervisor.size,
      workerIds: supervisor.workerIds,
      expectedDocuments,
      committedDocuments: 0,
    });
  }

  async #read(): Promise<void> {
    const { config, source, signal } = this.#options;
    await readQueue(this.#queue, {
      source,
      division: new Division(source, config.readRanges),
      itemsPerPage: config.itemsPerPage,
      signal,
      handOver: async (batch) => {
        this.#queue.countRead(batch);
        await this.#work.submit(batch);
        if (this.#progress.documents > 0) await reachFailpoint('primary-after-ack');
      },
      drain: () => this.#work.drain(),
      isToStop: () => signal.aborted,
    });
  }
}
