/**
 * Finds the bottleneck of a load, by these rules in this order:
 *
 * 1. With fewer than two batches per worker, the collection is too small to tell.
 * 2. If the processors of this machine were busy for 90% of the time, they are the bottleneck: all other waits include
 *    waiting for a processor.
 * 3. The time of the workers has four parts: transcoding, waiting for Postgres, waiting for a batch in transit (hand-over),
 *    and waiting with no batch in transit. The largest decides.
 * 4. If it is the last one, the workers waited for the primary. The longest wait of the primary decides: for pages of the
 *    source; for its pace (MAX_RATE or LOAD_LEVEL); for room (it had a page, but MAX_IN_FLIGHT_MB held it back); or for the
 *    last acks (at the end of the collection nothing was left to dispatch).
 */

import { formatPercent, formatPlural } from '../common/format.ts';
import { addUpWorkers, type Measurement } from './measurement.ts';

/** One being loaded and one in transit. */
const fewBatchesPerWorker = 2;

/** Below 100%, because the system's own work and switches between processes count as idle. */
const fullProcessorShare = 0.9;

export interface Bottleneck {
  readonly kind:
    'size' | 'transcoding' | 'postgres' | 'hand-over' | 'source' | 'pace' | 'room' | 'tail' | 'processors';
  /** The share of the time, 0 to 1; null if it has no meaning. */
  readonly share: number | null;
  /** One sentence: the bottleneck, and what to do about it. */
  readonly text: string;
}

/** @returns null if nothing was loaded */
export function findBottleneck(measurement: Measurement): Bottleneck | null {
  const { workers, processorShare } = measurement;
  const totals = addUpWorkers(workers);
  if (totals.batches === 0) return null;
  if (totals.batches < workers.length * fewBatchesPerWorker) {
    const fewer = workers.length > 1 ? '; fewer workers would have done as well' : '';
    const text = `Too small to tell: ${formatPlural(totals.batches, 'batch', 'batches')} for ${formatPlural(workers.length, 'worker')}${fewer}.`;
    return { kind: 'size', share: null, text };
  }
  if (processorShare !== null && processorShare >= fullProcessorShare) {
    const text = `The processors of this machine were the bottleneck: ${formatPercent(processorShare)} busy; more workers will not help.`;
    return { kind: 'processors', share: processorShare, text };
  }
  const shares = {
    transcoding: totals.transcodeMs / totals.readyMs,
    postgres: totals.loadMs / totals.readyMs,
    'hand-over': totals.handOverMs / totals.readyMs,
    waiting: (totals.idleMs - totals.handOverMs) / totals.readyMs,
  };
  const kind = keyOfLargest(shares);
  const share = shares[kind];
  if (kind === 'waiting') return explainWaiting(measurement, share);
  return { kind, share, text: explain(kind, formatPercent(share), processorShare) };
}

function explain(
  kind: 'transcoding' | 'postgres' | 'hand-over',
  percent: string,
  processorShare: number | null,
): string {
  switch (kind) {
    case 'transcoding': {
      const busy = processorShare === null ? '' : ` (they were ${formatPercent(processorShare)} busy)`;
      return `Transcoding was the bottleneck ${percent} of the workers' time; more workers will help while this machine has processors to spare${busy}.`;
    }
    case 'postgres':
      return `Postgres was the bottleneck ${percent} of the workers' time; more workers will not help, unless its server has processors and disks to spare.`;
    case 'hand-over':
      return `Dispatching batches was the bottleneck: the workers waited ${percent} of their time for a batch in transit; more workers will not help.`;
  }
}

function explainWaiting({ readMs, heldMs, roomMs, drainMs }: Measurement, share: number): Bottleneck {
  const kind = keyOfLargest({ source: readMs, pace: heldMs, room: roomMs, tail: drainMs });
  return { kind, share, text: explainWait(kind, formatPercent(share)) };
}

function explainWait(kind: 'source' | 'pace' | 'room' | 'tail', percent: string): string {
  switch (kind) {
    case 'source':
      return `The source was the bottleneck: the workers waited for pages ${percent} of their time; more workers will not help, but READ_RANGES may if the server is far away.`;
    case 'pace':
      return `MAX_RATE or LOAD_LEVEL was the bottleneck: the workers waited for pages ${percent} of their time; raise it if the source can take more load.`;
    case 'room':
      return `MAX_IN_FLIGHT_MB was the bottleneck: it held pages back while the workers waited ${percent} of their time; raise it, or lower ITEMS_PER_PAGE.`;
    case 'tail':
      return `The last batches were the bottleneck: for ${percent} of the workers' time nothing was left to dispatch; lower ITEMS_PER_PAGE.`;
  }
}

/** The first one if two are equal. */
function keyOfLargest<K extends string>(amounts: Readonly<Record<K, number>>): K {
  const keys = Object.keys(amounts) as K[];
  return keys.reduce((found, key) => (amounts[key] > amounts[found] ? key : found));
}
