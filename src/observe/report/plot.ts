/** Draws one or more lines over time as SVG. */

import { ticksUpTo } from './axis.ts';
import { type Html, html, jsonElement } from './html.ts';
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

export interface Line {
  readonly name: string;
  /** Its colour: a class of the style sheet. */
  readonly tone: 'first' | 'second';
  /** One value per interval; null if there is none. */
  readonly values: readonly (number | null)[];
}

export interface PlotOptions {
  readonly title: string;
  readonly unit: string;
  /** A short text beside the title, which screen readers also read. */
  readonly digest: string;
  readonly lines: readonly Line[];
  readonly intervalMs: number;
  readonly endMs: number;
  readonly phases: readonly Phase[];
  /** Fills the area below the first line: for amounts, whose sum is the area. */
  readonly isFilled?: boolean;
  /** The meaning of the tones, if there is more than one. */
  readonly legend?: readonly (readonly [tone: Line['tone'], name: string])[];
}

export const plotSize = { width: 520, height: 190 } as const;
const innerHeight = plotSize.height - margin.top - margin.bottom;

export function drawPlot({
  unit,
  lines,
  intervalMs,
  phases,
  isFilled = false,
  legend = [],
  ...options
}: PlotOptions): Html {
  const frame: Frame = { ...plotSize, endMs: options.endMs };
  const ticks = ticksUpTo(Math.max(0, ...lines.map(({ values }) => highest(values))), 4);
  const top = ticks.at(-1) ?? 1;
  const yOf = (value: number): number => round(plotSize.height - margin.bottom - (value / top) * innerHeight);
  const trace = (values: Line['values']): string => linePath(values, intervalMs, frame, yOf);
  const first = isFilled ? lines.slice(0, 1) : [];
  const figure = drawFigure(frame, { ...options, className: 'plot' }, legend, [
    ...drawPhases(phases, frame),
    ...ticks.map((tick) => drawTick(tick, yOf(tick))),
    ...drawTimeAxis(frame),
    ...first.map(({ tone, values }) => {
      const area = `${trace(values.map((value) => value ?? 0))}V${yOf(0)}H${margin.left}Z`;
      return html`<path class="area ${tone}" d="${area}" />`;
    }),
    // The first line is the most important, and so on top.
    ...[...lines]
      .reverse()
      .map(({ tone, values }) => html`<path class="line ${tone}" d="${trace(values)}" />`),
    drawCursor(frame),
  ]);
  const data = {
    unit,
    lines: lines.map(({ name, tone, values }) => ({ name, tone, values: values.map(shorten) })),
  };
  return html`<div class="cell">${figure}${jsonElement('data', data)}</div>`;
}

function drawTick(value: number, y: number): Html {
  return html`<line
      class="grid"
      x1="${margin.left}"
      x2="${plotSize.width - margin.right}"
      y1="${y}"
      y2="${y}"
    />
    <text class="tick" x="${margin.left - 6}" y="${y + 4}" text-anchor="end">${formatTick(value)}</text>`;
}

/** Through the middle of each interval, and from edge to edge, so that a single value is a line as well. */
function linePath(
  values: Line['values'],
  intervalMs: number,
  frame: Frame,
  yOf: (value: number) => number,
): string {
  const { endMs } = frame;
  let path = '';
  let isDrawing = false;
  for (const [index, value] of values.entries()) {
    if (value !== null) {
      const beginMs = index * intervalMs;
      const middleMs = (beginMs + Math.min(endMs, beginMs + intervalMs)) / 2;
      if (!isDrawing) path += `M${xOf(index === 0 ? 0 : middleMs, frame)} ${yOf(value)}`;
      path += `L${xOf(index === values.length - 1 ? endMs : middleMs, frame)} ${yOf(value)}`;
    }
    isDrawing = value !== null;
  }
  return path;
}

export function highest(values: readonly (number | null)[]): number {
  return values.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);
}

/** 250k, 1.5M: short enough to fit beside an axis. */
function formatTick(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(2))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toFixed(1))}k`;
  return String(Number(value.toPrecision(6)));
}

/** Four digits are enough for a plot. */
function shorten(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}
