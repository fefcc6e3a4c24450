/** The section of the report about following. */

import { formatCount, formatDuration, formatPlural } from '../../common/format.ts';
import { drawFigureList, drawState, type Figure, type State } from './section-page.ts';
import { type Html, html } from './html.ts';
import { drawPlot, highest, type PlotOptions } from './plot.ts';
import { perSecond } from './plots.ts';
import type { FollowSection } from './report.ts';
import { drawTable } from './tables.ts';

export function drawFollowing(section: FollowSection): Html {
  const { latest, isCutOver, series, endMs } = section;
  const { obstacles } = latest;
  return html`<section class="following" data-interval="${series.intervalMs}" data-end="${endMs}">
    <h2>${latest.source} was followed ${drawState(describeState(section))}</h2>
    <p class="soft">${latest.target}</p>
    ${isCutOver || obstacles.length === 0 ? html`` : drawObstacles(obstacles)}
    ${drawFigureList(listFigures(section))}
    <h3>Over time</h3>
    ${drawPlots(section)}
    <h3>Collections</h3>
    ${drawCollections(section)}
  </section>`;
}

/** The state at the end. */
function describeState({ latest, isCutOver }: FollowSection): State {
  if (isCutOver) return { word: 'cut over', isGood: true };
  return latest.obstacles.length === 0
    ? { word: 'one could cut over', isGood: true }
    : { word: 'one could not cut over', isGood: false };
}

function drawObstacles(obstacles: readonly string[]): Html {
  return html`<p class="failure">${obstacles.join('; ')}</p>`;
}

function listFigures({ latest, series, endMs }: FollowSection): Figure[] {
  const { lagMs, waiting, refused, documentsMerged, deadLettered } = latest;
  return [
    ['Time', formatDuration(endMs)],
    [
      'Lag in the end',
      lagMs === 0 ? 'caught up' : formatDuration(lagMs),
      `at most ${formatDuration(highest(series.lagMs))}`,
    ],
    ['Changes merged', formatCount(documentsMerged)],
    ['Waiting', formatCount(waiting), refused === 0 ? '' : `${formatCount(refused)} refused`],
    ['Dead letters', formatCount(deadLettered)],
  ];
}

function drawPlots({ series, ...section }: FollowSection): Html {
  // Without a length of time there is nothing to plot.
  const endMs = Math.max(section.endMs, 1);
  const draw = (title: string, unit: string, values: readonly number[], digest: string): Html => {
    const lines: PlotOptions['lines'] = [{ name: title, tone: 'first', values }];
    const { intervalMs } = series;
    return drawPlot({ title, unit, digest, lines, intervalMs, endMs, phases: [], isFilled: true });
  };
  const changes = perSecond(series.changes, series.intervalMs, endMs);
  return html`<div class="plots">
    ${draw(
      'Lag',
      's',
      series.lagMs.map((ms) => ms / 1000),
      `at most ${formatDuration(highest(series.lagMs))}`,
    )}
    ${draw('Changes a second', 'changes/s', changes, `at most ${formatCount(highest(changes))}`)}
    ${draw('Journal', 'rows', series.journalRows, `at most ${formatCount(highest(series.journalRows))}`)}
  </div>`;
}

function drawCollections({ latest }: FollowSection): Html {
  const header = ['collection', 'table', 'inserted', 'updated', 'deleted', 'waiting', 'followed'];
  const rows = latest.collections.map(({ source, table, inserted, updated, deleted, waiting, endedBy }) => [
    source,
    table,
    ...[inserted, updated, deleted, waiting].map(formatCount),
    endedBy === null ? 'to the end' : `no more: ${endedBy}`,
  ]);
  const events = Object.entries(latest.events).map(([kind, count]) => formatPlural(count, kind));
  const text = events.length === 0 ? 'no events' : events.join(' · ');
  return html`${drawTable(header, rows)}
    <p class="soft">The change stream since it was opened: ${text}</p>`;
}
