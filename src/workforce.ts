/** The workers of a command: how many there are, and the supervisor over them. */

import type { Config } from './config.ts';
import type { ProgressEvent } from './events.ts';
import { systemClock } from './pool/clock.ts';
import type { Pool } from './pool/pool.ts';
import type { WorkerTarget } from './pool/protocol.ts';
import { Supervisor, type SupervisorOptions } from './pool/supervisor.ts';
import { countWanted } from './pool/warm-pool.ts';
import { readConnectionsLeft } from './postgres/capacity.ts';
import type { Session } from './postgres/session.ts';

/** A worker has only its connection to close by then; one that takes longer hangs, and is killed. */
const shutdownGraceMs = 10_000;

/** As many as are asked for, or as Postgres has connections left. */
export async function chooseSize(
  config: Config,
  session: Session,
  onNotice: (message: string) => void,
): Promise<number> {
  const wanted = countWanted(config);
  const size = Math.min(wanted, await session.run(readConnectionsLeft));
  if (size < wanted)
    onNotice(`${size} workers instead of ${wanted}: PostgreSQL has no more connections left`);
  return size;
}

/** How the workers reach Postgres, before a run and in it. */
export function workerTarget({ postgresUrl, retryLimitMs, answerTimeoutMs }: Config): WorkerTarget {
  return { postgresUrl: postgresUrl.reveal(), retryLimitMs, answerTimeoutMs };
}

export function bringUpWorkers(
  config: Config,
  pool: Pool,
  size: number,
  callbacks: Pick<SupervisorOptions, 'signal' | 'onSettled' | 'onAck' | 'onNotice' | 'onDeath'>,
): Supervisor {
  const supervisor = new Supervisor({
    pool,
    clock: systemClock,
    target: workerTarget(config),
    size,
    maxInFlightBytes: config.maxInFlightBytes,
    hangTimeoutMs: config.workerTimeoutMs,
    ...callbacks,
  });
  supervisor.spawn();
  return supervisor;
}

/** What was done, with what the workers are at. */
export function reportProgress(
  { inFlight, liveWorkers, size }: Supervisor,
  done: Pick<
    ProgressEvent,
    'source' | 'documents' | 'bytes' | 'committedBefore' | 'deadLettered' | 'elapsedMs'
  >,
): ProgressEvent {
  const { batches: inFlightBatches, bytes: inFlightBytes } = inFlight;
  return { kind: 'progress', ...done, inFlightBatches, inFlightBytes, liveWorkers, workers: size };
}

/** To be called when nothing is under way any more, so that a worker that does not leave can be killed without loss. */
export async function dismissWorkers(
  supervisor: Supervisor,
  onNotice: (message: string) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<true>((resolve) => {
    timer = setTimeout(resolve, shutdownGraceMs, true);
  });
  try {
    if ((await Promise.race([supervisor.stop(), isLate])) !== true) return;
    for (const id of supervisor.workerIds) {
      onNotice(`worker ${id} did not leave within ${shutdownGraceMs / 1000} s and is killed`);
    }
    await supervisor.kill();
  } finally {
    clearTimeout(timer);
  }
}
