/** Draws the work of each worker over time as SVG: a lane for each, as high as the share of the interval that it worked. */

import { type Html, html } from './html.ts';
import { plotSize } from './plot.ts';
import type { Series, WorkerSeries } from './report.ts';
import {
  drawCursor,
  drawFigure,
  drawPhases,
  drawTimeAxis,
  margin,
  round,
  xOf,
  type Frame,
  type Phase,
} from './time-frame.ts';

/** As wide as two plots side by side. */
const width = 2 * plotSize.width + 20;
const lane = { height: 18, gap: 5 } as const;

/** With more lanes, they would be too thin. */
export const maxLanes = 48;

const legend = [
  ['transcode', 'transcoding'],
  ['load', 'waiting for Postgres'],
  ['idle', 'without a batch'],
] as const;

export function drawTimeline(series: Series, endMs: number, phases: readonly Phase[], busy: string): Html {
  const workers = series.workers.slice(0, maxLanes);
  const more = series.workers.length - workers.length;
  const digest = more > 0 ? `${busy}; ${more} more are not drawn` : busy;
  const height = margin.top + workers.length * (lane.height + lane.gap) + margin.bottom;
  const frame: Frame = { width, height, endMs };
  return drawFigure(frame, { title: 'What each worker did', digest, className: 'plot wide' }, legend, [
    ...workers.map((worker, index) => drawLane(worker, index, series.intervalMs, frame)),
    ...drawPhases(phases, frame),
    ...drawTimeAxis(frame),
    drawCursor(frame),
  ]);
}

function drawLane(worker: WorkerSeries, index: number, intervalMs: number, frame: Frame): Html {
  const top = margin.top + index * (lane.height + lane.gap);
  const bottom = top + lane.height;
  const shares = (values: readonly number[]): number[] =>
    values.map((ms, at) => ms / Math.min(intervalMs, Math.max(1, frame.endMs - at * intervalMs)));
  const load = shares(worker.loadMs);
  const both = shares(worker.transcodeMs).map((share, at) => share + (load[at] ?? 0));
  const draw = (kind: string, values: readonly number[]): Html =>
    html`<path class="${kind}" d="${stepPath(values, intervalMs, bottom, frame)}" />`;
  const [from, to] = [xOf(worker.readyMs, frame), xOf(worker.goneMs, frame)];
  return html`<rect class="idle" x="${from}" y="${top}" width="${round(to - from)}" height="${lane.height}" />
    ${draw('transcode', both)}${draw('load', load)}
    <text class="tick" x="${margin.left - 6}" y="${bottom - 5}" text-anchor="end">${index + 1}</text>`;
}

/** Steps from the bottom of the lane, as high as the share. */
function stepPath(shares: readonly number[], intervalMs: number, bottom: number, frame: Frame): string {
  let path = '';
  for (const [index, share] of shares.entries()) {
    if (share <= 0) continue;
    const [from, to] = [xOf(index * intervalMs, frame), xOf((index + 1) * intervalMs, frame)];
    // Clocks of two processes differ by microseconds; the share must not exceed the lane.
    path += `M${from} ${bottom}V${round(bottom - Math.min(1, share) * lane.height)}H${to}V${bottom}Z`;
  }
  return path;
}
