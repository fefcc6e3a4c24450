/** Describes the result of a finished run. */

import type { Outcome } from '../../observe/outcome.ts';
import type { IndexAccount, LetterCount, Summary } from '../../observe/summary.ts';
import { describeIndex } from '../../observe/describe-index.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import { describeMeasurement } from '../../observe/measurement-text.ts';
import { formatCount, formatDuration, formatMegabytes, formatPlural } from '../../common/format.ts';

/** How many lines of a list are shown before "and … more". */
const maxListed = 10;

export function describeSummary(summary: Summary): string {
  const { read, copied, rowsBefore, rowsAfter, totalMs, bytes, committedBefore } = summary;
  // `totalMs` does not include the time of earlier processes of the same run, so their documents do not count either.
  const share = read === 0 ? 1 : (read - committedBefore) / read;
  const resumed =
    committedBefore > 0 ? ` (${formatCount(committedBefore)} of them before it was continued)` : '';
  const table = `${summary.schema}.${summary.table}`;
  const perSecond = (amount: number): number => (amount * 1000) / totalMs;
  const before = rowsBefore > 0 ? ` (${formatCount(rowsBefore)} of them from before)` : '';
  const lines = [
    `${summary.source} → ${table} in ${summary.target}`,
    `  read ${formatCount(read)} = ${describeParts(summary)}${resumed}`,
    `  ${formatPlural(rowsAfter, 'row')} in ${table}, counted by Postgres${before}`,
    ...summary.children.map(
      ({ table: name, rows }) =>
        `  ${formatPlural(rows, 'row')} in ${summary.schema}.${name}, counted by Postgres`,
    ),
    `  ${formatDuration(totalMs)} · ${formatCount(perSecond(copied * share))} docs/s · ${formatMegabytes(perSecond(bytes * share))}/s · ${formatPlural(summary.workers, 'worker')}`,
    ...describeSizing(summary),
    ...describeMeasurement(summary),
    ...describeExtra(summary.extra),
    ...describeIndexes(summary.indexes),
    ...listed(describeLetters(summary.deadLetterReasons, summary.runId)),
  ];
  return lines.join('\n');
}

/** The parts of the documents read. Only transforms drop documents, or turn one into several rows. */
export function describeParts({
  copied,
  deadLettered,
  dropped,
  rows,
}: Pick<Summary, 'copied' | 'deadLettered' | 'dropped' | 'rows'>): string {
  const several = rows === copied ? '' : ` (${formatPlural(rows, 'row')})`;
  const without = dropped === 0 ? '' : ` + dropped ${formatCount(dropped)}`;
  return `copied ${formatCount(copied)}${several} + dead-lettered ${formatCount(deadLettered)}${without}`;
}

/** With CLUSTER_SIZE=auto: the size chosen, and why. */
function describeSizing({ workers, connections, sizing }: Summary): string[] {
  if (sizing === null) return [];
  const each = workers > 1 && connections > 1 ? ' each' : '';
  const crew = `${formatPlural(workers, 'worker')} with ${formatPlural(connections, 'connection')}${each}`;
  return [`  CLUSTER_SIZE=auto: ${crew}; ${sizing}`];
}

/** A table with a line for each collection, and a total. */
export function describeOutcome({ summaries, failures, totalMs }: Outcome): string {
  const hasDropped = summaries.some(({ dropped }) => dropped > 0);
  const ifDropped = (cell: string): string[] => (hasDropped ? [cell] : []);
  const rows = summaries.map(({ source, read, copied, deadLettered, dropped, totalMs: ownMs }) => [
    source,
    formatCount(read),
    formatCount(copied),
    formatCount(deadLettered),
    ...ifDropped(formatCount(dropped)),
    formatDuration(ownMs),
  ]);
  const sum = (pick: (summary: Summary) => number): number =>
    summaries.reduce((total, summary) => total + pick(summary), 0);
  const table = formatTable([
    ['collection', 'read', 'copied', 'dead-lettered', ...ifDropped('dropped'), 'time'],
    ...rows,
    ...failures.map(({ source }) => [source, 'failed', '', '', ...ifDropped(''), '']),
    [
      formatPlural(summaries.length, 'collection'),
      formatCount(sum(({ read }) => read)),
      formatCount(sum(({ copied }) => copied)),
      formatCount(sum(({ deadLettered }) => deadLettered)),
      ...ifDropped(formatCount(sum(({ dropped }) => dropped))),
      formatDuration(totalMs),
    ],
  ]);
  return failures.length === 0 ? table : `${table}\n${formatPlural(failures.length, 'collection')} failed`;
}

/** The first column is aligned left, the others right. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const lines = rows.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    ),
  );
  return lines.map((cells) => cells.join('  ').trimEnd()).join('\n');
}

/** The indexes created, then all that were not: nothing else reports those. */
function describeIndexes(indexes: readonly IndexAccount[]): string[] {
  const left = indexes.filter(({ outcome }) => outcome === 'left');
  const carried = indexes.filter(({ outcome }) => outcome !== 'left');
  return [...listed(carried.map(indent)), ...left.map(indent)];
}

function indent(account: IndexAccount): string {
  return `  ${describeIndex(account)}`;
}

/** A line for each field, `maxListed` at most. */
export function describeExtra(extra: readonly ExtraCount[]): string[] {
  const lines = extra.map(({ field, type, reason, count }) => {
    const why = reason.replaceAll('_', ' ');
    return `  _extra: ${formatPlural(count, 'value')} of ${JSON.stringify(field)} (${type}, ${why})`;
  });
  return listed(lines);
}

/** A line for each reason. */
export function describeLetters(reasons: readonly LetterCount[], runId: string): string[] {
  return reasons.map(({ reason, code, count, example }) => {
    // A message of Postgres may have several lines.
    const why = code === null ? reason : `${reason} (${code}: ${example.replaceAll(/\s+/g, ' ')})`;
    return `  dead letters: ${formatCount(count)} because of ${why}; see mongo2pg.dead_letters, run ${runId}`;
  });
}

/** The warning of AMOUNT_USERS; null if the count is as expected. */
export function describeUnexpectedAmount(expected: number | undefined, read: number): string | null {
  if (expected === undefined || expected === read) return null;
  return `AMOUNT_USERS says ${formatCount(expected)}, but ${formatPlural(read, 'document')} came`;
}

function listed(lines: string[]): string[] {
  if (lines.length <= maxListed) return lines;
  return [...lines.slice(0, maxListed), `  … and ${lines.length - maxListed} more`];
}
