/** The section of the report about one collection. */

import { findBottleneck } from '../bottleneck.ts';
import {
  formatCount,
  formatDuration,
  formatMegabytes,
  formatPercent,
  formatPlural,
} from '../../common/format.ts';
import { addUpWorkers, busyShare } from '../measurement.ts';
import { type Html, html } from './html.ts';
import { drawPlots, findSteps } from './plots.ts';
import type { Section } from './report.ts';
import { drawBar, type Share } from './share-bar.ts';
import { drawNumbers, drawWorkers } from './tables.ts';

export function drawSection(section: Section): Html {
  const { source, target, failure, summary, series, endMs } = section;
  const bottleneck = findBottleneck(section.measurement);
  return html`<section data-interval="${series.intervalMs}" data-end="${endMs}">
    <h2>${source}${target === null ? '' : ` → ${target.table}`} ${drawState(describeState(section))}</h2>
    <p class="soft">${describePlace(section)}</p>
    ${failure === null ? html`` : html`<p class="failure">${failure}</p>`} ${drawFigures(section)}
    ${bottleneck === null ? html`` : html`<p class="bottleneck"><b>Bottleneck</b>${bottleneck.text}</p>`}
    <h3>Where the time went</h3>
    ${drawBar('Run', stepShares(section), `${formatDuration(endMs)} in all`)}
    ${bottleneck === null ? html`` : drawBar('Workers', workerShares(section), describeWorkers(section))}
    <h3>Over time</h3>
    ${drawPlots(section)}
    <h3>Workers</h3>
    ${drawWorkers(section)} ${summary === null ? html`` : drawRemarks(summary)}
    <details>
      <summary>All numbers of the plots</summary>
      ${drawNumbers(section)}
    </details>
  </section>`;
}

/** The state of one collection, or of all of them, as a word. */
export interface State {
  readonly word: string;
  readonly isGood: boolean;
}

export function drawState({ word, isGood }: State): Html {
  return html`<span class="state ${isGood ? 'good' : 'bad'}">${word}</span>`;
}

function describeState({ summary }: Section): State {
  if (summary === null) return { word: 'not complete', isGood: false };
  return summary.deadLettered === 0
    ? { word: 'copied', isGood: true }
    : { word: 'copied, with dead letters', isGood: false };
}

function describePlace({ target, summary, committedBefore }: Section): string {
  return [
    ...(target === null ? [] : [target.database]),
    ...(summary === null ? [] : [`run ${summary.runId}`]),
    ...(committedBefore === 0
      ? []
      : [`continued: ${formatPlural(committedBefore, 'document')} were committed before`]),
  ].join(' · ');
}

function drawFigures(section: Section): Html {
  const { summary, documents, committedBefore, bytes, expectedDocuments } = section;
  const { done, ms } = measureSpeed(section);
  const bytesDone = documents === 0 ? 0 : (bytes * (documents - committedBefore)) / documents;
  const perSecond = (amount: number): number => (amount * 1000) / Math.max(ms, 1);
  const counts: readonly Figure[] =
    summary === null
      ? [['Documents committed', formatCount(documents), `of about ${formatCount(expectedDocuments)}`]]
      : [
          ['Documents read', formatCount(summary.read)],
          ['Rows copied', formatCount(summary.rows)],
          ['Dead letters', formatCount(summary.deadLettered)],
          ...(summary.dropped === 0 ? [] : [['Dropped', formatCount(summary.dropped)] as const]),
        ];
  const figures: readonly Figure[] = [
    ...counts,
    ['BSON', formatMegabytes(bytes), `${formatMegabytes(perSecond(bytesDone))}/s`],
    ['Time', formatDuration(ms)],
    ['Rows a second', formatCount(perSecond(done))],
  ];
  return drawFigureList(figures);
}

export function drawFigureList(figures: readonly Figure[]): Html {
  const drawn = figures.map(
    ([name, value, note = '']) =>
      html`<div>
        <dt>${name}</dt>
        <dd>${value} <small>${note}</small></dd>
      </div>`,
  );
  return html`<dl class="figures">${drawn}</dl>`;
}

export type Figure = readonly [name: string, value: string, note?: string];

/** The speed of this process, as in the summary on the terminal. */
function measureSpeed({ summary, documents, committedBefore, endMs }: Section): { done: number; ms: number } {
  if (summary === null) return { done: documents - committedBefore, ms: endMs };
  const { copied, read, totalMs } = summary;
  return { done: read === 0 ? 0 : (copied * (read - committedBefore)) / read, ms: totalMs };
}

function stepShares(section: Section): Share[] {
  const kinds = { plan: 'plan', load: 'load', indexes: 'commit' } as const;
  return findSteps(section).map(({ name, fromMs, toMs }) => ({
    name,
    kind: kinds[name],
    share: (toMs - fromMs) / Math.max(section.endMs, 1),
    amount: formatDuration(toMs - fromMs),
  }));
}

function workerShares({ measurement }: Section): Share[] {
  const { readyMs, transcodeMs, claimMs, copyMs, commitMs, idleMs, handOverMs } = addUpWorkers(
    measurement.workers,
  );
  const shares = [
    ['transcoding', 'transcode', transcodeMs],
    ['ledger', 'ledger', claimMs],
    ['COPY', 'load', copyMs],
    ['COMMIT', 'commit', commitMs],
    ['batch in transit', 'hand-over', handOverMs],
    ['no batch', 'idle', idleMs - handOverMs],
  ] as const;
  return shares.map(([name, kind, ms]) => ({
    name,
    kind,
    share: ms / readyMs,
    amount: formatPercent(ms / readyMs),
  }));
}

function describeWorkers({ measurement }: Section): string {
  const { workers, readMs, roomMs } = measurement;
  const shares = workers.map(busyShare);
  const busy = `busy ${formatPercent(Math.min(...shares))}–${formatPercent(Math.max(...shares))}`;
  return `${formatPlural(workers.length, 'worker')}, ${busy}; the primary waited ${formatDuration(readMs)} for the source, ${formatDuration(roomMs)} for a free worker`;
}

/** Dead letters, and values in the overflow column. */
function drawRemarks({ deadLetterReasons, extra }: NonNullable<Section['summary']>): Html {
  const remarks = [
    ...deadLetterReasons.map(({ reason, code, count, example }) => {
      return `dead letters: ${formatCount(count)} because of ${code === null ? reason : `${reason} (${code}: ${example})`}`;
    }),
    ...extra.map(({ field, type, reason, count }) => {
      return `_extra: ${formatPlural(count, 'value')} of ${JSON.stringify(field)} (${type}, ${reason.replaceAll('_', ' ')})`;
    }),
  ];
  if (remarks.length === 0) return html``;
  return html`<h3>Dead letters and overflow</h3>
    <ul>
      ${remarks.map((remark) => html`<li>${remark}</li>`)}
    </ul>`;
}
