/** A supervisor whose workers and clock do what the test says, and batches for it. */

import { serialize } from 'bson';
import { describeEvent } from '../../src/observe/describe-event.ts';
import type { RunListener } from '../../src/observe/run-listener.ts';
import type { Batch } from '../../src/source/page.ts';
import { FixedSize } from '../../src/workers/supervisor/crew.ts';
import type { RunHandle } from '../../src/workers/supervisor/run-handle.ts';
import { Supervisor, type SupervisorOptions } from '../../src/workers/supervisor/supervisor.ts';
import { rawArray } from './raw-bson.ts';
import { ScriptedClock } from './scripted-clock.ts';
import { ScriptedPool } from './scripted-pool.ts';
import { someSettings } from './worker-settings.ts';

export function batchOf(number: number, bytes = 10): Batch {
  const place = { rangeNo: 1, epoch: 1, number, after: null, last: new Uint8Array() };
  return { ...place, documentCount: 1, bytes: new Uint8Array(bytes) };
}

/** Real documents, since they are looked at when the batch is split. */
export function batchOfDocuments(number: number, count: number): Batch {
  const documents = Array.from({ length: count }, (_, index) => ({ _id: number + index }));
  const last = serialize({ _id: number + count - 1 });
  return {
    rangeNo: 1,
    epoch: 1,
    number,
    after: null,
    last,
    documentCount: count,
    bytes: rawArray(documents.map((document) => serialize(document))),
  };
}

interface Sizes extends Partial<Pick<SupervisorOptions, 'maxInFlightBytes' | 'target' | 'signal'>> {
  readonly size?: number;
  readonly isBeside?: boolean;
}

export function createSupervisor({
  size = 2,
  maxInFlightBytes = 1000,
  isBeside = true,
  ...more
}: Sizes = {}) {
  const pool = new ScriptedPool(isBeside);
  const clock = new ScriptedClock();
  const acked: number[] = [];
  const notices: string[] = [];
  const supervisor = new Supervisor({
    pools: { beside: pool, inside: pool },
    clock,
    sizing: new FixedSize(size),
    maxInFlightBytes,
    hangTimeoutMs: 10_000,
    ...more,
    listener: {
      onDeath: (death) => notices.push(describeEvent({ kind: 'worker-died', ...death }) ?? ''),
      onNotice: (message) => notices.push(message),
    },
  });
  const begin = (listener: RunListener = {}): RunHandle =>
    supervisor.begin(someSettings, { onSettled: (batch) => acked.push(batch.number) }, listener);
  return { pool, clock, supervisor, begin, acked, notices };
}

export function startSupervisor(options: Parameters<typeof createSupervisor>[0] = {}) {
  const created = createSupervisor(options);
  created.supervisor.spawn();
  const run = created.begin();
  for (const worker of created.pool.workers) worker.isReady();
  return { ...created, run };
}

/** Long enough for what dies together to be gone, for workers to be replaced, and for suspects to be tried. */
export function calmDown(clock: ScriptedClock): void {
  for (let step = 0; step < 4; step++) clock.jump(300);
}
