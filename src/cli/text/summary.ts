/** Puts the account of a finished run into words. */

import type { IndexAccount, LetterCount, Outcome, Summary } from '../../observe/events.ts';
import { describeIndex } from '../../observe/describe-index.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import { describeMeasurement } from '../../observe/measurement-text.ts';
import { formatCount, formatDuration, formatMegabytes, formatPlural } from '../../common/format.ts';

/** How many lines of a list are shown before "and … more". */
const maxListed = 10;

export function describeSummary(summary: Summary): string {
  const { read, copied, deadLettered, rowsBefore, rowsAfter, totalMs, bytes, committedBefore } = summary;
  // An earlier process of the same run took its own time.
  const share = read === 0 ? 1 : (read - committedBefore) / read;
  const resumed =
    committedBefore > 0 ? ` (${formatCount(committedBefore)} of them before it was continued)` : '';
  const table = `${summary.schema}.${summary.table}`;
  const perSecond = (amount: number): number => (amount * 1000) / totalMs;
  const before = rowsBefore > 0 ? ` (${formatCount(rowsBefore)} of them from before)` : '';
  const lines = [
    `${summary.source} → ${table} in ${summary.target}`,
    `  read ${formatCount(read)} = copied ${formatCount(copied)} + dead-lettered ${formatCount(deadLettered)}${resumed}`,
    `  ${formatPlural(rowsAfter, 'row')} in ${table}, counted by Postgres${before}`,
    ...summary.children.map(
      ({ table: name, rows }) =>
        `  ${formatPlural(rows, 'row')} in ${summary.schema}.${name}, counted by Postgres`,
    ),
    `  ${formatDuration(totalMs)} · ${formatCount(perSecond(copied * share))} docs/s · ${formatMegabytes(perSecond(bytes * share))}/s · ${formatPlural(summary.workers, 'worker')}`,
    ...describeMeasurement(summary),
    ...describeExtra(summary.extra),
    ...describeIndexes(summary.indexes),
    ...listed(describeLetters(summary.deadLetterReasons, summary.runId)),
  ];
  return lines.join('\n');
}

/** A line for each of several collections, and one for all of them. */
export function describeOutcome({ summaries, failures, totalMs }: Outcome): string {
  const rows = summaries.map(({ source, read, copied, deadLettered, totalMs: ownMs }) => [
    source,
    formatCount(read),
    formatCount(copied),
    formatCount(deadLettered),
    formatDuration(ownMs),
  ]);
  const sum = (pick: (summary: Summary) => number): number =>
    summaries.reduce((total, summary) => total + pick(summary), 0);
  const table = formatTable([
    ['collection', 'read', 'copied', 'dead-lettered', 'time'],
    ...rows,
    ...failures.map(({ source }) => [source, 'failed', '', '', '']),
    [
      formatPlural(summaries.length, 'collection'),
      formatCount(sum(({ read }) => read)),
      formatCount(sum(({ copied }) => copied)),
      formatCount(sum(({ deadLettered }) => deadLettered)),
      formatDuration(totalMs),
    ],
  ]);
  return failures.length === 0 ? table : `${table}\n${formatPlural(failures.length, 'collection')} failed`;
}

/** Names to the left, numbers to the right. */
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

/** Those that are there, then those that are not: all of them, as nobody else tells what is missing. */
function describeIndexes(indexes: readonly IndexAccount[]): string[] {
  const left = indexes.filter(({ outcome }) => outcome === 'left');
  const carried = indexes.filter(({ outcome }) => outcome !== 'left');
  return [...listed(carried.map(indent)), ...left.map(indent)];
}

function indent(account: IndexAccount): string {
  return `  ${describeIndex(account)}`;
}

/** A line for each field, as far as they are shown. */
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
    // What Postgres says may have lines of its own.
    const why = code === null ? reason : `${reason} (${code}: ${example.replaceAll(/\s+/g, ' ')})`;
    return `  dead letters: ${formatCount(count)} because of ${why}; see mongo2pg.dead_letters, run ${runId}`;
  });
}

/** The warning that goes with AMOUNT_USERS, or null when as many came as were expected. */
export function describeUnexpectedAmount(expected: number | undefined, read: number): string | null {
  if (expected === undefined || expected === read) return null;
  return `AMOUNT_USERS says ${formatCount(expected)}, but ${formatPlural(read, 'document')} came`;
}

function listed(lines: string[]): string[] {
  if (lines.length <= maxListed) return lines;
  return [...lines.slice(0, maxListed), `  … and ${lines.length - maxListed} more`];
}
