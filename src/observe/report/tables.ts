/** The tables below the plots, with the same numbers: exact, and for screen readers. */

import { formatCount, formatDuration, formatMegabytes, formatPercent } from '../../common/format.ts';
import { busyShare } from '../measurement.ts';
import { formatMoment } from './axis.ts';
import { type Html, html } from './html.ts';
import { highest } from './plot.ts';
import type { Section } from './report.ts';

export function drawWorkers({ measurement, series }: Section): Html {
  // In the order of the lanes. A worker that was never ready has no lane.
  const numbers = new Map(series.workers.map(({ id }, index) => [id, index + 1]));
  const header = [
    'worker',
    'id',
    'busy',
    'batches',
    'transcoding',
    'ledger',
    'COPY',
    'COMMIT',
    'batch in transit',
    'no batch',
    'send to receipt, mean',
    'peak memory',
  ];
  const rows = measurement.workers.map((worker) => [
    String(numbers.get(worker.id) ?? ''),
    worker.id,
    formatPercent(busyShare(worker)),
    formatCount(worker.batches),
    ...[
      worker.transcodeMs,
      worker.claimMs,
      worker.copyMs,
      worker.commitMs,
      worker.handOverMs,
      worker.idleMs - worker.handOverMs,
    ].map(formatExactly),
    worker.batches === 0 ? '' : `${(worker.ipcMs / worker.batches).toFixed(1)} ms`,
    worker.peakMemoryBytes === 0 ? '' : formatMegabytes(worker.peakMemoryBytes),
  ]);
  return drawTable(header, rows);
}

export function drawNumbers({ series, endMs }: Section): Html {
  const header = [
    'from',
    'documents',
    'MB',
    'batches in flight',
    'MB in flight',
    'memory of the primary',
    'highest of a worker',
  ];
  const rows = series.documents.map((documents, index) => [
    formatMoment(Math.min(endMs, index * series.intervalMs)),
    formatCount(documents),
    ((series.bytes[index] ?? 0) / 1e6).toFixed(2),
    formatCount(series.inFlightBatches[index] ?? 0),
    ((series.inFlightBytes[index] ?? 0) / 1e6).toFixed(2),
    formatMegabytes(series.primaryRssBytes[index] ?? 0),
    formatMegabytes(highest(series.workers.map(({ memoryBytes }) => memoryBytes[index] ?? null))),
  ]);
  return drawTable(header, rows);
}

export function drawTable(header: readonly string[], rows: readonly (readonly string[])[]): Html {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${header.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells) =>
            html`<tr>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** With one digit more than elsewhere, because a step of a worker may be short. */
function formatExactly(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : formatDuration(ms);
}
