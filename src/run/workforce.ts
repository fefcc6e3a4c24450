/** The workers of a command: their number, and their supervisor. */

import { availableParallelism } from 'node:os';
import type { Audience } from './connections.ts';
import { targetOptions, type Config, type TargetConfig } from '../config/config.ts';
import type { ProgressEvent, RunEvent } from '../observe/events.ts';
import { systemClock } from '../common/clock.ts';
import type { Pools } from '../workers/pool/create-pool.ts';
import { AutoSize, fewConnections } from '../workers/supervisor/auto-size.ts';
import { FixedSize, type Sizing } from '../workers/supervisor/crew.ts';
import { SharedSize, type Share } from '../workers/supervisor/shared-size.ts';
import { Supervisor } from '../workers/supervisor/supervisor.ts';
import { measureRoundTrip, readConnectionsLeft } from '../postgres/connection/capacity.ts';
import type { Session } from '../postgres/connection/session.ts';
import type { WorkerTarget } from '../postgres/worker-settings.ts';

/** By then a worker only has to close its connection. If it takes longer, it hangs, and is killed. */
const shutdownGraceMs = 10_000;

export type SizeConfig = Pick<Config, 'clusterSize' | 'clusterSizeMultiplier' | 'clusterImplementation'>;

/** How the number of workers is decided, and how many connections are left. */
export interface Size {
  /** Called once for each supervisor; a new one starts from scratch. */
  createSizing(): Sizing;
  /** Number of workers when Postgres is near. */
  readonly workers: number;
  /** Connections left for other purposes. */
  readonly connectionsLeft: number;
}

/** Number of connections that workers will need when Postgres is near. */
export function countConnections({ clusterSize }: Pick<SizeConfig, 'clusterSize'>): number {
  return clusterSize === 'auto' ? availableParallelism() * fewConnections : clusterSize;
}

/** Share of the free connections; `auto` leaves the rest to indexes and lanes. */
const shareForWorkers = 0.75;

/**
 * As many workers as configured, or as Postgres has connections left.
 * @param share with several hosts: limits the connections of this one
 */
export async function chooseSize(
  config: SizeConfig,
  session: Session,
  onEvent: (event: RunEvent) => void,
  share?: Share,
): Promise<Size> {
  const { clusterSize: wanted, clusterSizeMultiplier, clusterImplementation } = config;
  if (share !== undefined) return await chooseShared(config, session, share);
  const left = await session.run(readConnectionsLeft);
  if (wanted === 'auto') {
    const roundTripMs = await session.run(measureRoundTrip);
    const cores = availableParallelism();
    const maxConnections = Math.max(1, Math.floor(left * shareForWorkers));
    const maxWorkers = cores * clusterSizeMultiplier;
    const canFork = clusterImplementation !== 'inline';
    const limits = { canFork, cores, maxWorkers, maxConnections, roundTripMs };
    return {
      createSizing: () => new AutoSize(limits),
      workers: cores,
      connectionsLeft: left - maxConnections,
    };
  }
  const workers = Math.min(wanted, left);
  if (workers < wanted) {
    const message = `${workers} workers instead of ${wanted}: PostgreSQL has no more connections left`;
    onEvent({ kind: 'notice', message });
  }
  return { createSizing: () => new FixedSize(workers), workers, connectionsLeft: left - workers };
}

async function chooseShared(
  { clusterSize: wanted, clusterSizeMultiplier, clusterImplementation }: SizeConfig,
  session: Session,
  share: Share,
): Promise<Size> {
  const cores = availableParallelism();
  const others = { workers: wanted === 'auto' ? cores : wanted, connectionsLeft: 0 };
  if (wanted !== 'auto') {
    return { ...others, createSizing: () => new SharedSize(new FixedSize(wanted), share) };
  }
  const limits = {
    ...{ canFork: clusterImplementation !== 'inline', cores, maxWorkers: cores * clusterSizeMultiplier },
    roundTripMs: await session.run(measureRoundTrip),
    get maxConnections() {
      return share.connections;
    },
  };
  return { ...others, createSizing: () => new SharedSize(new AutoSize(limits), share) };
}

/** The settings that workers need. */
export type WorkerConfig = TargetConfig & Pick<Config, 'workerTimeoutSeconds' | 'citusNodeUrl'>;

/** How workers reach Postgres. */
export function workerTarget(config: WorkerConfig): WorkerTarget {
  const { url: postgresUrl, ...limits } = targetOptions(config);
  const { citusNodeUrl } = config;
  const node = citusNodeUrl === undefined ? {} : { nodeUrl: citusNodeUrl.reveal() };
  // Shorter than the worker timeout, so that an endless transform is stopped before its worker is killed.
  return { postgresUrl, ...node, ...limits, documentTimeoutMs: config.workerTimeoutSeconds * 500 };
}

type WorkforceConfig = WorkerConfig & Pick<Config, 'maxInFlightMb'>;

/** The workers of a command. They are restarted after a failure. */
export class Workforce {
  readonly #config: WorkforceConfig;
  readonly #pools: Pools;
  readonly #size: Size;
  readonly #audience: Audience;
  #supervisor: Supervisor;
  #replacing: Promise<void> = Promise.resolve();
  /** Notices that were shown: workers may send the same ones. */
  readonly #noticed = new Set<string>();

  /** Starts a fixed number of workers at once, since starting a process takes longer than connecting to both sides. */
  constructor(config: WorkforceConfig, pools: Pools, size: Size, audience: Audience) {
    this.#config = config;
    this.#pools = pools;
    this.#size = size;
    this.#audience = audience;
    this.#supervisor = this.#createSupervisor();
  }

  /** @returns a supervisor that has not failed */
  async supervise(): Promise<Supervisor> {
    this.#replacing = this.#replacing.then(async () => {
      if (!this.#supervisor.hasFailed) return;
      // They hold only batches of runs that have ended.
      await this.#supervisor.kill();
      this.#supervisor = this.#createSupervisor();
    });
    await this.#replacing;
    return this.#supervisor;
  }

  /** To be called when nothing is in flight any more, so that a worker that does not exit can be killed without loss. */
  async dismiss(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<true>((resolve) => {
      timer = setTimeout(resolve, shutdownGraceMs, true);
    });
    try {
      if ((await Promise.race([this.#supervisor.stop(), isLate])) !== true) return;
      await this.#supervisor.kill(`did not exit within ${shutdownGraceMs / 1000} s and is killed`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Kills all workers at once, even with batches in flight. After `dismiss` none are left. */
  async kill(): Promise<void> {
    await this.#supervisor.kill();
  }

  #noticeOnce(message: string): void {
    if (this.#noticed.has(message)) return;
    this.#noticed.add(message);
    this.#audience.onEvent({ kind: 'notice', message });
  }

  #createSupervisor(): Supervisor {
    const supervisor = new Supervisor({
      pools: this.#pools,
      clock: systemClock,
      target: workerTarget(this.#config),
      sizing: this.#size.createSizing(),
      maxInFlightBytes: this.#config.maxInFlightMb * 1_000_000,
      hangTimeoutMs: this.#config.workerTimeoutSeconds * 1000,
      listener: {
        onDeath: (death) => {
          this.#audience.onEvent({ kind: 'worker-died', ...death });
        },
        onNotice: (message) => {
          this.#noticeOnce(message);
        },
      },
      signal: this.#audience.signal,
    });
    supervisor.spawn();
    return supervisor;
  }
}

/** A progress event: what was done, and what is in flight. */
export function reportProgress(
  { inFlight, liveWorkers, size }: Supervisor,
  done: Pick<
    ProgressEvent,
    | 'source'
    | 'documents'
    | 'bytes'
    | 'expectedDocuments'
    | 'committedBefore'
    | 'deadLettered'
    | 'dropped'
    | 'elapsedMs'
  >,
): ProgressEvent {
  const { batches: inFlightBatches, bytes: inFlightBytes } = inFlight;
  return { kind: 'progress', ...done, inFlightBatches, inFlightBytes, liveWorkers, workers: size };
}
