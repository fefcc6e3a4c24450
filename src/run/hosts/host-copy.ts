/** What a host that does not lead does for a run: reads ranges of it, and has its own workers load them. */

import { systemClock } from '../../common/clock.ts';
import { SourceError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import type { Ack } from '../../observe/ack.ts';
import type { Listeners, RunObserver } from '../../observe/listeners.ts';
import { RunMeter } from '../../observe/run-meter.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import { describePostgres } from '../../postgres/connection/connection.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { HostRangeQueue } from '../../postgres/ledger/hosts/host-range-queue.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import type { SharedRun } from '../../postgres/ledger/hosts/hosts.ts';
import type { Batch } from '../../source/page.ts';
import { Division } from '../../source/reading/division.ts';
import { readRanges } from '../../source/reading/readers.ts';
import type { Source } from '../../source/source.ts';
import type { Plan, TransformFile } from '../../transcode/plan.ts';
import type { RunHandle } from '../../workers/supervisor/run-handle.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { reportProgress, workerTarget } from '../workforce.ts';

export interface HostCopyOptions {
  readonly config: Config;
  readonly session: Session;
  readonly supervisor: Supervisor;
  readonly source: Source;
  readonly hosts: HostWork;
  readonly listeners: Listeners;
  readonly signal: AbortSignal;
  /** Where it is on this host. */
  readonly transform: TransformFile | null;
}

/** What this host has done of a run. */
export interface HostAccount {
  readonly documents: number;
  readonly ranges: number;
}

/** @throws MigrationError, or the signal's reason; what is in flight is committed by then where that is possible */
export async function copyRanges(run: SharedRun, options: HostCopyOptions): Promise<HostAccount> {
  return await new HostCopy(run, options).execute();
}

class HostCopy implements RunListener {
  readonly #options: HostCopyOptions;
  readonly #queue: HostRangeQueue;
  readonly #observers: readonly RunObserver[];
  readonly #work: RunHandle;
  readonly #plan: Plan;
  readonly #startedMs = performance.now();
  #expectedDocuments = 0;
  readonly #done = { documents: 0, bytes: 0, deadLettered: 0, dropped: 0 };

  constructor(run: SharedRun, options: HostCopyOptions) {
    this.#options = options;
    const { config, session, supervisor, source, hosts, listeners, transform } = options;
    const { runId } = run;
    this.#queue = new HostRangeQueue({ session, runId, ...hosts, waitsForAll: false });
    const meter = new RunMeter(config.clusterImplementation, systemClock);
    const inFlight = (): Supervisor['inFlight'] => supervisor.inFlight;
    this.#observers = [meter, ...listeners.onRun({ source: source.name, meter, inFlight })];
    this.#plan = withTransform(run.settings.plan, transform);
    const settings = { ...workerTarget(config), purpose: 'load', runId, plan: this.#plan } as const;
    supervisor.expect(Infinity);
    this.#work = supervisor.begin(settings, ...this.#observers, this);
  }

  async execute(): Promise<HostAccount> {
    try {
      await this.#announce();
      await this.#read();
      await this.#work.drain();
      await this.#queue.settle();
      this.#options.signal.throwIfAborted();
      return { documents: this.#done.documents, ranges: this.#queue.finished };
    } finally {
      this.#work.end();
      for (const observer of this.#observers) observer.onEnd?.();
    }
  }

  onSettled(batch: Batch): void {
    const { source, supervisor, listeners } = this.#options;
    this.#done.documents += batch.documentCount;
    this.#done.bytes += batch.bytes.byteLength;
    this.#queue.countSettled(batch);
    const known = { source: source.name, expectedDocuments: this.#expectedDocuments, committedBefore: 0 };
    const elapsedMs = performance.now() - this.#startedMs;
    listeners.onEvent(reportProgress(supervisor, { ...this.#done, ...known, elapsedMs }));
  }

  onAck(_workerId: string, ack: Ack): void {
    this.#done.deadLettered += ack.deadLettered;
    this.#done.dropped += ack.dropped;
    const { retries: times } = ack;
    if (times === undefined) return;
    this.#options.listeners.onEvent({ kind: 'retried', server: 'postgres', times, reason: null });
  }

  async #announce(): Promise<void> {
    const { config, source, supervisor, listeners } = this.#options;
    this.#expectedDocuments = await source.estimateCount();
    listeners.onEvent({
      kind: 'started',
      source: source.name,
      target: describePostgres(config.postgresUrl),
      plan: this.#plan,
      workers: supervisor.size,
      workerIds: supervisor.workerIds,
      expectedDocuments: this.#expectedDocuments,
      committedDocuments: 0,
    });
  }

  async #read(): Promise<void> {
    const { config, source, signal } = this.#options;
    try {
      await readRanges(this.#queue, {
        source,
        division: new Division(source, config.readRanges),
        itemsPerPage: config.itemsPerPage,
        handOver: async (batch) => {
          this.#queue.countRead(batch);
          await this.#work.submit(batch);
        },
        isToStop: () => signal.aborted,
      });
    } catch (error) {
      // What was read before is on its way to Postgres, and need not be read again.
      if (error instanceof SourceError || signal.aborted) await this.#work.drain().catch(() => undefined);
      await this.#queue.settle().catch(() => undefined);
      throw error;
    }
  }
}

/** Its text is that of the lead's; its place is this host's own. */
function withTransform(plan: Plan, transform: TransformFile | null): Plan {
  if (plan.transform === undefined || transform === null) return plan;
  return { ...plan, transform: { ...plan.transform, file: transform.file } };
}
