/** The plots of one collection. */

import { formatCount, formatMegabytes, formatPercent } from '../../common/format.ts';
import { busyShare } from '../measurement.ts';
import { type Html, html } from './html.ts';
import { drawPlot, highest, type Line, type PlotOptions } from './plot.ts';
import type { Section, Series } from './report.ts';
import type { Phase } from './time-frame.ts';
import { drawTimeline, maxLanes } from './timeline.ts';

export interface Step extends Phase {
  readonly name: 'plan' | 'load' | 'indexes';
}

/** The steps that have begun. */
export function findSteps({ planEndMs, loadEndMs, endMs }: Section): Step[] {
  const steps: Step[] = [{ name: 'plan', fromMs: 0, toMs: planEndMs ?? endMs }];
  if (planEndMs !== undefined) steps.push({ name: 'load', fromMs: planEndMs, toMs: loadEndMs ?? endMs });
  if (loadEndMs !== undefined) steps.push({ name: 'indexes', fromMs: loadEndMs, toMs: endMs });
  return steps;
}

type What = Omit<PlotOptions, 'intervalMs' | 'endMs' | 'phases'>;

export function drawPlots(section: Section): Html {
  const { series } = section;
  const { intervalMs } = series;
  // Without a length of time there is nothing to plot.
  const endMs = Math.max(section.endMs, 1);
  const phases = findSteps(section);
  const draw = (what: What): Html => drawPlot({ ...what, intervalMs, endMs, phases });
  const documents = perSecond(series.documents, intervalMs, endMs);
  const bytes = perSecond(series.bytes, intervalMs, endMs);
  return html`<div class="plots">
    ${draw(amountsOf('Documents a second', 'documents/s', documents, formatCount))}
    ${draw(amountsOf('MB a second', 'MB/s', bytes.map(toMegabytes), formatOneDigit))}
    ${draw(amountsOf('Batches in flight', 'batches', series.inFlightBatches, formatCount))}
    ${draw(amountsOf('MB in flight', 'MB', series.inFlightBytes.map(toMegabytes), formatOneDigit))}
    ${draw(workOf(series, endMs))} ${draw(memoryOf(section))}
    ${drawTimeline(series, endMs, phases, describeBusy(section))}
  </div>`;
}

function amountsOf(
  title: string,
  unit: string,
  values: readonly number[],
  format: (amount: number) => string,
): What {
  const lines: Line[] = [{ name: title, tone: 'first', values }];
  return { title, unit, lines, digest: `at most ${format(highest(values))}`, isFilled: true };
}

/** The average number of workers that were transcoding, or waiting for Postgres, in each interval. */
function workOf({ workers, intervalMs, documents }: Series, endMs: number): What {
  const add = (pick: (worker: Series['workers'][number]) => readonly number[]): number[] => {
    const sums = documents.map((_, index) =>
      workers.reduce((sum, worker) => sum + (pick(worker)[index] ?? 0), 0),
    );
    return perSecond(sums, intervalMs, endMs).map((msPerSecond) => msPerSecond / 1000);
  };
  const load = add(({ loadMs }) => loadMs);
  const transcode = add(({ transcodeMs }) => transcodeMs);
  return {
    title: 'Workers at work',
    unit: 'workers',
    digest: `of ${formatCount(workers.length)}`,
    lines: [
      { name: 'waiting for Postgres', tone: 'first', values: load },
      { name: 'transcoding', tone: 'second', values: transcode },
    ],
    legend: [
      ['first', 'waiting for Postgres'],
      ['second', 'transcoding'],
    ],
  };
}

/** The memory of the primary, and of the workers that have memory of their own. */
const memoryWords = {
  cluster: { primary: 'primary', worker: 'each worker' },
  threads: { primary: 'primary, with its threads', worker: 'heap of each worker' },
  inline: { primary: 'primary, with its workers', worker: null },
} as const;

function memoryOf({ series, primaryPeakRssBytes, measurement }: Section): What {
  const megabytes = (values: readonly (number | null)[]): (number | null)[] =>
    values.map((value) => (value === null ? null : toMegabytes(value)));
  const workers = series.workers.slice(0, maxLanes).map(({ memoryBytes }, index): Line => {
    return { name: `worker ${index + 1}`, tone: 'second', values: megabytes(memoryBytes) };
  });
  const workerPeak = highest(measurement.workers.map(({ peakMemoryBytes }) => peakMemoryBytes));
  const { primary, worker } = memoryWords[measurement.implementation];
  const peaks = worker === null ? [primaryPeakRssBytes] : [primaryPeakRssBytes, workerPeak];
  return {
    title: 'Memory',
    unit: 'MB',
    digest: `at most ${peaks.map(formatMegabytes).join(' and ')}`,
    lines: [
      { name: 'primary', tone: 'first', values: megabytes(series.primaryRssBytes) },
      ...(worker === null ? [] : workers),
    ],
    legend: [['first', primary], ...(worker === null ? [] : [['second', worker] as const])],
  };
}

function describeBusy({ measurement }: Section): string {
  const shares = measurement.workers.map(busyShare);
  if (shares.length === 0) return 'none was ready';
  return `busy ${formatPercent(Math.min(...shares))}–${formatPercent(Math.max(...shares))}`;
}

/** The last interval may be shorter than the others. */
export function perSecond(values: readonly number[], intervalMs: number, endMs: number): number[] {
  return values.map(
    (value, index) => (value * 1000) / Math.min(intervalMs, Math.max(1, endMs - index * intervalMs)),
  );
}

function toMegabytes(bytes: number): number {
  return bytes / 1e6;
}

function formatOneDigit(amount: number): string {
  return amount.toFixed(1);
}
