/** The workers of a command: how many there are, and the supervisor over them. */

import type { Audience } from './connections.ts';
import { targetOptions, type Config, type TargetConfig } from '../config/config.ts';
import type { ProgressEvent, RunEvent } from '../observe/events.ts';
import { systemClock } from '../common/clock.ts';
import type { Pool } from '../workers/pool/pool.ts';
import { Supervisor } from '../workers/supervisor/supervisor.ts';
import { countWanted, type SizeConfig } from '../workers/pool/warm-pool.ts';
import { readConnectionsLeft } from '../postgres/connection/capacity.ts';
import type { Session } from '../postgres/connection/session.ts';
import type { WorkerTarget } from '../postgres/worker-settings.ts';

/** A worker has only its connection to close by then; one that takes longer hangs, and is killed. */
const shutdownGraceMs = 10_000;

/** How many workers there are to be, and what else Postgres can bear. */
export interface Size {
  readonly workers: number;
  /** Connections that are left for other things. */
  readonly connectionsLeft: number;
}

/** As many as are asked for, or as Postgres has connections left. */
export async function chooseSize(
  config: SizeConfig,
  session: Session,
  onEvent: (event: RunEvent) => void,
): Promise<Size> {
  const wanted = countWanted(config);
  const left = await session.run(readConnectionsLeft);
  const workers = Math.min(wanted, left);
  if (workers < wanted) {
    const message = `${workers} workers instead of ${wanted}: PostgreSQL has no more connections left`;
    onEvent({ kind: 'notice', message });
  }
  return { workers, connectionsLeft: left - workers };
}

/** How the workers reach Postgres, before a run and in it. */
export function workerTarget(config: TargetConfig): WorkerTarget {
  const { url: postgresUrl, ...limits } = targetOptions(config);
  return { postgresUrl, ...limits };
}

type WorkforceConfig = TargetConfig & Pick<Config, 'maxInFlightMb' | 'workerTimeoutSeconds'>;

/** The workers of a command, whoever needs them: brought up anew where they have failed. */
export class Workforce {
  readonly #config: WorkforceConfig;
  readonly #pool: Pool;
  readonly #workers: number;
  readonly #audience: Audience;
  #supervisor: Supervisor;
  #replacing: Promise<void> = Promise.resolve();

  /** They come up at once: processes take longer to than both sides take to be reached. */
  constructor(config: WorkforceConfig, pool: Pool, workers: number, audience: Audience) {
    this.#config = config;
    this.#pool = pool;
    this.#workers = workers;
    this.#audience = audience;
    this.#supervisor = this.#bringUp();
  }

  /** @returns the supervisor of workers that can go on */
  async supervise(): Promise<Supervisor> {
    this.#replacing = this.#replacing.then(async () => {
      if (!this.#supervisor.hasFailed) return;
      // Whatever they hold is of runs that are over.
      await this.#supervisor.kill();
      this.#supervisor = this.#bringUp();
    });
    await this.#replacing;
    return this.#supervisor;
  }

  /** To be called when nothing is under way any more, so that a worker that does not leave can be killed without loss. */
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

  /** At once, whatever they hold; after an orderly end there is none left. */
  async kill(): Promise<void> {
    await this.#supervisor.kill();
  }

  #bringUp(): Supervisor {
    const supervisor = new Supervisor({
      pool: this.#pool,
      clock: systemClock,
      target: workerTarget(this.#config),
      size: this.#workers,
      maxInFlightBytes: this.#config.maxInFlightMb * 1_000_000,
      hangTimeoutMs: this.#config.workerTimeoutSeconds * 1000,
      listener: {
        onDeath: (death) => {
          this.#audience.onEvent({ kind: 'worker-died', ...death });
        },
      },
      signal: this.#audience.signal,
    });
    supervisor.spawn();
    return supervisor;
  }
}

/** What was done, with what the workers are at. */
export function reportProgress(
  { inFlight, liveWorkers, size }: Supervisor,
  done: Pick<
    ProgressEvent,
    'source' | 'documents' | 'bytes' | 'expectedDocuments' | 'committedBefore' | 'deadLettered' | 'elapsedMs'
  >,
): ProgressEvent {
  const { batches: inFlightBatches, bytes: inFlightBytes } = inFlight;
  return { kind: 'progress', ...done, inFlightBatches, inFlightBytes, liveWorkers, workers: size };
}
