/** Describes where the time of a run went, and its bottleneck. */

import { findBottleneck } from './bottleneck.ts';
import type { Summary } from './summary.ts';
import { formatDuration, formatMegabytes, formatPercent } from '../common/format.ts';
import { addUpWorkers, busyShare, type Measurement } from './measurement.ts';

/** If there are more workers, only the least and the most busy one are shown. */
const maxWorkersListed = 12;

export type MeasuredSummary = Pick<
  Summary,
  'planMs' | 'loadMs' | 'indexMs' | 'primaryPeakRssBytes' | 'measurement'
>;

/** Lines of the summary; those about workers only if something was loaded. */
export function describeMeasurement(summary: MeasuredSummary): string[] {
  const { planMs, loadMs, indexMs, primaryPeakRssBytes, measurement } = summary;
  const { readMs, heldMs, roomMs, workers } = measurement;
  const held = heldMs > 0 ? `, ${formatDuration(heldMs)} held back` : '';
  const waits = `${formatDuration(readMs)} waiting for the source${held}, ${formatDuration(roomMs)} for a free worker`;
  const steps = `  plan ${formatDuration(planMs)} · load ${formatDuration(loadMs)} (${waits}) · indexes ${formatDuration(indexMs)}`;
  const bottleneck = findBottleneck(measurement);
  if (bottleneck === null) return [steps];
  return [
    steps,
    `  workers: ${describeWork(measurement)}`,
    `  busy: ${describeBusy(workers.map(busyShare))}`,
    `  peak memory: ${describeMemory(primaryPeakRssBytes, measurement)}`,
    `  ${bottleneck.text}`,
  ];
}

function describeWork({ workers }: Measurement): string {
  const totals = addUpWorkers(workers);
  const share = (ms: number): string => formatPercent(ms / totals.readyMs);
  const { transcodeMs, loadMs, claimMs, copyMs, commitMs, idleMs, handOverMs } = totals;
  return (
    `${share(transcodeMs)} transcoding · ` +
    `${share(loadMs)} Postgres (ledger ${share(claimMs)}, COPY ${share(copyMs)}, COMMIT ${share(commitMs)}) · ` +
    `${share(idleMs)} without a batch (${share(handOverMs)} while one was in transit)`
  );
}

function describeBusy(shares: readonly number[]): string {
  if (shares.length > maxWorkersListed) return `each worker ${formatSpan(shares, formatPercent)}`;
  return shares.map(formatPercent).join(' · ');
}

/** Threads and inline workers are in the primary's process; the system reports only the memory of that. */
function describeMemory(primaryBytes: number, { implementation, workers }: Measurement): string {
  const primary = formatMegabytes(primaryBytes);
  // An inline worker has no memory of its own.
  const peaks = workers.map(({ peakMemoryBytes }) => peakMemoryBytes).filter((bytes) => bytes > 0);
  switch (peaks.length === 0 ? 'inline' : implementation) {
    case 'cluster':
      return `primary ${primary} · workers ${formatSpan(peaks, formatMegabytes)}`;
    case 'threads':
      return `${primary} in one process, heaps of workers ${formatSpan(peaks, formatMegabytes)}`;
    case 'inline':
      return `${primary} in one process`;
  }
}

/** 97 MB – 102 MB, or 97 MB if both are the same. */
function formatSpan(amounts: readonly number[], format: (amount: number) => string): string {
  const [low, high] = [format(Math.min(...amounts)), format(Math.max(...amounts))];
  return low === high ? low : `${low} – ${high}`;
}
