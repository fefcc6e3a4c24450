/** Formats the measurements as tables. */

import { cpus, totalmem } from 'node:os';
import type pg from 'pg';
import { formatCount } from '../../src/common/format.ts';
import type { Run } from './contestant.ts';
import { describeKind } from './documents.ts';
import {
  isGrowth,
  median,
  medianOf,
  ratio,
  wallMsOf,
  type CaseResult,
  type Result,
  type Results,
} from './results.ts';

export async function describeMachine(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  return [
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${memoryGib} GiB`,
    `Node ${process.versions.node}, PostgreSQL ${rows[0]?.server_version ?? '?'}, source: the embedded MongoDB server`,
  ];
}

const header = [
  '',
  'CPU: own',
  'ratio',
  'memory (PSS)',
  'time',
  'min–max',
  'ratio',
  'documents/s',
  'MB/s of BSON',
  'CPU: PostgreSQL',
  'MongoDB',
  'peak memory',
];

export function describeCase({ kind, amount, date, bsonBytes, results, verifyMs }: CaseResult): string {
  const steps = results
    .filter(({ runs }) => runs.some(({ stepsMs }) => stepsMs !== undefined))
    .map(describeSteps);
  return [
    `**${formatCount(amount)} ${describeKind[kind]}**, ${describeRounds(results)}${describeDate(date)}`,
    '',
    describeTable({ results, amount, bsonBytes }),
    ...describeVerify(verifyMs, results.at(-1)),
    ...(steps.length === 0 ? [] : ['', ...steps]),
  ].join('\n');
}

/** A row for each contestant, beside the first of them. */
export function describeTable({
  results,
  amount,
  bsonBytes,
}: Pick<CaseResult, 'results' | 'amount' | 'bsonBytes'>): string {
  const [base] = results;
  const rows = results.map((result) => describeResult(result, base ?? result, amount, bsonBytes));
  return formatTable([header, ...rows]);
}

/** Beside the copy before it in the same round. */
function describeVerify(verifyMs: readonly number[], copy: Result | undefined): string[] {
  if (verifyMs.length === 0 || copy === undefined) return [];
  const copyMs = wallMsOf(copy);
  const shares = verifyMs.map((ms, round) => ms / (copyMs[round] ?? NaN));
  const [least, most] = [Math.min(...shares).toFixed(2), Math.max(...shares).toFixed(2)];
  return [
    '',
    `\`verify\` of the last copy, with 2 workers: ${seconds(median(verifyMs))} s, ` +
      `${median(shares).toFixed(2)} (${least}–${most}) times that of ${copy.name}, round by round.`,
  ];
}

function describeDate(date: string | undefined): string {
  return date === undefined ? '' : ` (${date})`;
}

function describeRounds(results: readonly Result[]): string {
  const rounds = results[0]?.runs.length ?? 0;
  return rounds === 1 ? 'one round after a warm-up' : `${rounds} rounds in turns, after a warm-up`;
}

function describeResult(result: Result, base: Result, amount: number, bsonBytes: number): string[] {
  const { name, runs } = result;
  const ms = wallMsOf(result);
  return [
    name,
    describeCpu(runs),
    describeRatio(cpuRatio(result, base)),
    describePss(runs),
    `${seconds(median(ms))} s`,
    `${seconds(Math.min(...ms))}–${seconds(Math.max(...ms))}`,
    describeRatio(ratio(result, base, ({ wallMs }) => wallMs)),
    formatCount(Math.round((amount * 1000) / median(ms))),
    ((bsonBytes * 1000) / median(ms) / 1e6).toFixed(0),
    cpuSeconds(medianOf(runs, ({ postgresCpuMs }) => postgresCpuMs)),
    cpuSeconds(medianOf(runs, ({ mongoCpuMs }) => mongoCpuMs)),
    describePeak(runs),
  ];
}

/** Primary + workers, where there are workers of their own. */
function describeCpu(runs: readonly Run[]): string {
  const primary = medianOf(runs, ({ primaryCpuMs }) => primaryCpuMs);
  const all = medianOf(runs, ({ cpuMs }) => cpuMs);
  if (primary === null || all === null) return cpuSeconds(all);
  return `${cpuSeconds(all)} (primary ${cpuSeconds(primary)})`;
}

/** Of processor time; null beside a contestant that only sends prepared data. */
function cpuRatio(result: Result, base: Result): number | null {
  if (base.runs.some(({ ownCpuMs }) => ownCpuMs !== undefined)) return null;
  return ratio(result, base, ({ cpuMs }) => cpuMs);
}

function describeRatio(value: number | null): string {
  return value === null ? '' : value.toFixed(2);
}

function describePss(runs: readonly Run[]): string {
  const pss = medianOf(runs, ({ pssBytes }) => pssBytes);
  return pss === null ? '' : `${megabytes(pss)} MB`;
}

function describePeak(runs: readonly Run[]): string {
  const primary = medianOf(runs, ({ peakBytes }) => peakBytes?.primary);
  const worker = medianOf(runs, ({ peakBytes }) => peakBytes?.worker);
  if (primary === null) return '';
  return worker === null
    ? `${megabytes(primary)} MB`
    : `${megabytes(primary)} + ${megabytes(worker)} MB a worker`;
}

function describeSteps({ name, runs }: Result): string {
  const steps = Object.keys(runs[0]?.stepsMs ?? {});
  const text = steps.map(
    (step) => `${step} ${seconds(medianOf(runs, ({ stepsMs }) => stepsMs?.[step]) ?? NaN)} s`,
  );
  return `- ${name}: ${text.join(' · ')}`;
}

export function describeResults({ machine, date, cases }: Results): string {
  const growth = cases.filter(isGrowth);
  return [
    `${machine.join('; ')}; ${date}.`,
    ...cases.filter((one) => !isGrowth(one)).map(describeCase),
    ...(growth.length === 0 ? [] : [describeGrowth(growth)]),
  ].join('\n\n');
}

/** One contestant, with more and more documents. */
function describeGrowth(cases: readonly CaseResult[]): string {
  const rows = cases.map(({ amount, results: [result] }) => {
    const { name = '', runs = [] } = result ?? {};
    const wallMs = medianOf(runs, (run) => run.wallMs) ?? NaN;
    return [
      `${formatCount(amount)}: ${name}`,
      describeCpu(runs),
      describePss(runs),
      `${seconds(wallMs)} s`,
      formatCount(Math.round((amount * 1000) / wallMs)),
      cpuSeconds(medianOf(runs, ({ postgresCpuMs }) => postgresCpuMs)),
      describePeak(runs),
    ];
  });
  const head = ['', 'CPU: own', 'memory (PSS)', 'time', 'documents/s', 'CPU: PostgreSQL', 'peak memory'];
  const when = describeDate(cases[0]?.date);
  return [`**How time and memory grow**, small flat users${when}`, '', formatTable([head, ...rows])].join(
    '\n',
  );
}

/** Of Markdown: the first row is the head, the first column that of names. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...body];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function cpuSeconds(ms: number | null): string {
  return ms === null ? '?' : `${(ms / 1000).toFixed(2)} s`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
