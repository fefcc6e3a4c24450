/** Draws the results as one SVG: bars of documents per second, and how time and memory grow. */

import { formatCount } from '../../src/common/format.ts';
import { describeKind } from './documents.ts';
import { isGrowth, median, medianOf, wallMsOf, type CaseResult, type Results } from './results.ts';

const width = 760;
const labelWidth = 300;
const barHeight = 18;
const gap = 6;

export function drawResults({ cases }: Results): string {
  const parts: string[] = [];
  let y = 10;
  const add = (draw: (top: number) => { svg: string; height: number }): void => {
    const { svg, height } = draw(y);
    parts.push(svg);
    y += height + 24;
  };
  for (const result of cases.filter(({ results }) => results.length > 1)) add((top) => drawBars(result, top));
  const growth = cases.filter(isGrowth);
  if (growth.length > 1) add((top) => drawGrowth(growth, top));
  const style =
    'text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.bar{fill:#336791}.line{fill:none;stroke-width:2}';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}"><style>${style}</style>
<rect width="${width}" height="${y}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

function drawBars({ kind, amount, results }: CaseResult, top: number): { svg: string; height: number } {
  const rates = results.map((result) => (amount * 1000) / median(wallMsOf(result)));
  const highest = Math.max(...rates);
  const rows = results.map(({ name }, index) => {
    const y = top + 22 + index * (barHeight + gap);
    const rate = rates[index] ?? 0;
    const length = Math.max(1, ((width - labelWidth - 90) * rate) / highest);
    return [
      `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escape(name)}</text>`,
      `<rect class="bar" x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}"/>`,
      `<text x="${(labelWidth + length + 6).toFixed(1)}" y="${y + 13}">${formatCount(Math.round(rate))}/s</text>`,
    ].join('');
  });
  const title = `<text class="title" x="10" y="${top + 12}">${formatCount(amount)} ${escape(describeKind[kind])}: documents per second</text>`;
  return { svg: [title, ...rows].join('\n'), height: 22 + results.length * (barHeight + gap) };
}

interface Curve {
  readonly name: string;
  readonly colour: string;
  /** One an amount; scaled so that its highest is at the top. */
  readonly values: readonly number[];
  readonly format: (value: number) => string;
}

function drawGrowth(cases: readonly CaseResult[], top: number): { svg: string; height: number } {
  const height = 220;
  const [left, right] = [60, width - 200];
  const amounts = cases.map(({ amount }) => Math.log(amount));
  const [first = 0, last = 1] = [amounts[0], amounts.at(-1)];
  const xOf = (index: number): number =>
    left + (((amounts[index] ?? first) - first) / (last - first)) * (right - left);
  const runsOf = ({ results }: CaseResult): CaseResult['results'][number]['runs'] => results[0]?.runs ?? [];
  const curves: Curve[] = [
    {
      name: 'documents/s',
      colour: '#336791',
      values: cases.map(({ amount, results }) =>
        results[0] === undefined ? 0 : (amount * 1000) / median(wallMsOf(results[0])),
      ),
      format: (value) => `${formatCount(Math.round(value))}/s`,
    },
    {
      name: 'primary, peak memory',
      colour: '#c0392b',
      values: cases.map((result) => medianOf(runsOf(result), ({ peakBytes }) => peakBytes?.primary) ?? 0),
      format: (value) => `${(value / 1e6).toFixed(0)} MB`,
    },
    {
      name: 'worker, peak memory',
      colour: '#27ae60',
      values: cases.map((result) => medianOf(runsOf(result), ({ peakBytes }) => peakBytes?.worker) ?? 0),
      format: (value) => `${(value / 1e6).toFixed(0)} MB`,
    },
  ];
  const memoryTop = Math.max(...curves.slice(1).flatMap(({ values }) => values));
  const drawn = curves.map(({ name, colour, values, format }, index) => {
    const scale = index === 0 ? Math.max(...values) : memoryTop;
    const yOf = (value: number): number => top + height - 30 - (value / scale) * (height - 70);
    const points = values.map((value, at) => `${xOf(at).toFixed(1)},${yOf(value).toFixed(1)}`);
    const end = values.at(-1) ?? 0;
    return [
      `<polyline class="line" stroke="${colour}" points="${points.join(' ')}"/>`,
      `<text x="${right + 8}" y="${(yOf(end) + 4).toFixed(1)}" style="fill:${colour}">${name}: ${format(end)}</text>`,
    ].join('');
  });
  const ticks = cases.map(({ amount }, index) => {
    return `<text x="${xOf(index).toFixed(1)}" y="${top + height - 10}" text-anchor="middle">${formatCount(amount)}</text>`;
  });
  const title = `<text class="title" x="10" y="${top + 12}">From 100,000 to 10,000,000 users: speed and memory</text>`;
  return { svg: [title, ...drawn, ...ticks].join('\n'), height };
}

function escape(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
