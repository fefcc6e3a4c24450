/** The common parts of drawings over time: frame, time axis, phases, and cursor. */

import { formatMoment, timeTicksWithin } from './axis.ts';
import { type Html, html } from './html.ts';

/** A named part of the time. */
export interface Phase {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Space for labels around a plot. */
export const margin = { left: 52, right: 10, top: 20, bottom: 24 } as const;

/** Sizes are in units of the SVG, about one pixel each if two plots are side by side. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly endMs: number;
}

export function innerWidth({ width }: Pick<Frame, 'width'>): number {
  return width - margin.left - margin.right;
}

export function xOf(ms: number, frame: Pick<Frame, 'width' | 'endMs'>): number {
  return round(margin.left + (Math.min(ms, frame.endMs) / frame.endMs) * innerWidth(frame));
}

/** Rounds to a tenth of a pixel. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** A line between phases, and their names if there is room. */
export function drawPhases(phases: readonly Phase[], frame: Frame): Html[] {
  return phases.map(({ name, fromMs, toMs }) => {
    const [from, to] = [xOf(fromMs, frame), xOf(toMs, frame)];
    const bottom = frame.height - margin.bottom;
    const edge = html`<line class="phase" x1="${from}" x2="${from}" y1="6" y2="${bottom}" />`;
    const label = html`<text class="phase" x="${round(from + 4)}" y="13">${name}</text>`;
    return html`${fromMs === 0 ? [] : edge}${to - from < 8 * name.length ? [] : label}`;
  });
}

export function drawTimeAxis(frame: Frame): Html[] {
  return timeTicksWithin(frame.endMs, Math.round(innerWidth(frame) / 90)).map((ms) => {
    const [x, anchor] = [xOf(ms, frame), ms === 0 ? 'start' : 'middle'];
    return html`<text class="tick" x="${x}" y="${frame.height - 7}" text-anchor="${anchor}"
      >${formatMoment(ms)}</text
    >`;
  });
}

/** The script moves it to the time that the reader points at. */
export function drawCursor({ height }: Frame): Html {
  return html`<line
    class="cursor"
    x1="0"
    x2="0"
    y1="6"
    y2="${height - margin.bottom}"
    visibility="hidden"
  />`;
}

/** @param legend shown at the right */
export function drawFigure(
  frame: Frame,
  {
    title,
    digest,
    className,
  }: { readonly title: string; readonly digest: string; readonly className: string },
  legend: readonly (readonly [className: string, name: string])[],
  content: readonly Html[],
): Html {
  const entries = legend.map(([kind, name]) => html`<span><i class="${kind}"></i>${name}</span> `);
  return html`<figure class="${className}">
    <figcaption>
      <span class="legend">${entries}</span><b>${title}</b> <output class="readout">${digest}</output>
    </figcaption>
    <svg
      viewBox="0 0 ${frame.width} ${frame.height}"
      role="img"
      aria-label="${`${title}: ${digest}`}"
      data-left="${margin.left}"
      data-span="${innerWidth(frame)}"
    >
      ${content}
    </svg>
  </figure>`;
}
