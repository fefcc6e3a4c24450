/**
 * Names what held a load up. The rule, in this order:
 *
 * 1. Fewer batches than the workers can hold at once: the collection is too small to tell.
 * 2. The processors of this machine were busy for 90% of the time: they are what was short, since everything that waits
 *    then waits for a processor as well.
 * 3. The time that the workers were ready has four parts, which are all of it: transcoding, waiting for Postgres, waiting
 *    for a batch that is on its way (hand-over), and waiting with none on its way. The largest decides.
 * 4. If it is the last one, the workers waited for the primary, and the longest of what that waited for decides: pages of
 *    the source; room (it had a page, and MAX_IN_FLIGHT_MB kept it back, since the workers had nothing); the last acks (at
 *    the end of the collection there was nothing left to share out).
 */

import { formatPercent, formatPlural } from '../common/format.ts';
import { addUpWorkers, type Measurement } from './measurement.ts';
import { creditPerWorker } from './ack.ts';

/** Less than all of it: what the system itself needs, and the moments between two processes, count as idle. */
const fullProcessorShare = 0.9;

export interface Bottleneck {
  readonly kind:
    'size' | 'transcoding' | 'postgres' | 'hand-over' | 'source' | 'room' | 'tail' | 'processors';
  /** For how much of the time, 0 to 1; null where that says nothing. */
  readonly share: number | null;
  /** A sentence that ends with what to do about it. */
  readonly text: string;
}

/** @returns null when nothing was loaded */
export function findBottleneck(measurement: Measurement): Bottleneck | null {
  const { workers, processorShare } = measurement;
  const totals = addUpWorkers(workers);
  if (totals.batches === 0) return null;
  if (totals.batches < workers.length * creditPerWorker) {
    const text = `Too small to tell: ${formatPlural(totals.batches, 'batch', 'batches')} for ${formatPlural(workers.length, 'worker')}; fewer workers would have done as well.`;
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

function explainWaiting({ readMs, roomMs, drainMs }: Measurement, share: number): Bottleneck {
  const kind = keyOfLargest({ source: readMs, room: roomMs, tail: drainMs });
  return { kind, share, text: explainWait(kind, formatPercent(share)) };
}

function explainWait(kind: 'source' | 'room' | 'tail', percent: string): string {
  switch (kind) {
    case 'source':
      return `The source was the bottleneck: the workers waited for pages ${percent} of their time; more workers will not help, but READ_RANGES may, where a server is far away.`;
    case 'room':
      return `MAX_IN_FLIGHT_MB was the bottleneck: it kept pages back while the workers waited ${percent} of their time; raise it, or lower ITEMS_PER_PAGE.`;
    case 'tail':
      return `The last batches were the bottleneck: for ${percent} of the workers' time nothing was left to share out; lower ITEMS_PER_PAGE.`;
  }
}

/** The first one where two are the same. */
function keyOfLargest<K extends string>(amounts: Readonly<Record<K, number>>): K {
  const keys = Object.keys(amounts) as K[];
  return keys.reduce((found, key) => (amounts[key] > amounts[found] ? key : found));
}
