/** Puts what a benchmark measured into words and a table. */

import { cpus, totalmem } from 'node:os';
import type pg from 'pg';
import { formatCount } from '../../src/format.ts';
import type { BenchSettings } from './main.ts';
import type { ToolRun } from './tool.ts';

export async function describeMachine(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  return [
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${memoryGib} GiB`,
    `Node ${process.versions.node}, PostgreSQL ${rows[0]?.server_version ?? '?'}, source: the embedded MongoDB server`,
  ].join('\n');
}

/** Rows of the table: header first. */
export function describeRuns(
  { amount, workers }: BenchSettings,
  bsonBytes: number,
  ceilingMs: readonly number[],
  toolRuns: readonly ToolRun[],
): string[][] {
  const wallMs = toolRuns.map((run) => run.wallMs);
  const perSecond = (total: number, ms: readonly number[]): number => (total * 1000) / median(ms);
  const speed = (name: string, ms: readonly number[]): string[] => [
    name,
    `${seconds(median(ms))} s`,
    `${seconds(Math.min(...ms))}–${seconds(Math.max(...ms))} s`,
    formatCount(perSecond(amount, ms)),
    (perSecond(bsonBytes, ms) / 1e6).toFixed(0),
  ];
  const ratios = wallMs.map((ms, run) => ms / (ceilingMs[run] ?? NaN));
  const primaryPeak = Math.max(...toolRuns.map(({ summary }) => summary.primaryPeakRssBytes));
  const workerPeaks = toolRuns.flatMap(({ summary }) => summary.workerPeakMemoryBytes);
  const step = (name: string, pick: (run: ToolRun) => number): string => {
    return `${name} ${seconds(median(toolRuns.map(pick)))} s`;
  };
  return [
    [`${formatCount(amount)} users, ${workers} workers`, 'median', 'min–max', 'rows/s', 'MB/s of BSON'],
    speed('ceiling: ready-made COPY', ceilingMs),
    speed('mongo2pg, end to end', wallMs),
    [
      'ratio, run by run',
      median(ratios).toFixed(2),
      `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
      '',
      '',
    ],
    [
      'steps of mongo2pg',
      step('plan', ({ summary }) => summary.planMs),
      step('load', ({ summary }) => summary.loadMs),
      step('key', ({ summary }) => summary.indexMs),
      step('rest', ({ wallMs: wall, summary }) => wall - summary.planMs - summary.loadMs - summary.indexMs),
    ],
    ['peak memory of the primary', `${megabytes(primaryPeak)} MB`, '', '', ''],
    [
      'peak memory of a worker',
      `${megabytes(median(workerPeaks))} MB`,
      `${megabytes(Math.min(...workerPeaks))}–${megabytes(Math.max(...workerPeaks))} MB`,
      '',
      '',
    ],
  ];
}

export function formatTable(rows: readonly (readonly string[])[]): string {
  const [header = [], ...body] = rows;
  const lines = [header, header.map(() => '---'), ...body];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
