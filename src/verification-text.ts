/** Puts the account of a comparison into words. */

import type { NamedDifference, VerificationSummary } from './events.ts';
import { formatCount, formatDuration, formatPlural } from './format.ts';

/** How many differences are shown; JSON has more. */
const maxShown = 20;

export function isProven({ missing, different, extra, isCountOff }: VerificationSummary): boolean {
  return missing + different + extra === 0 && !isCountOff;
}

export function describeVerification(summary: VerificationSummary): string {
  const { source, table, read, compared, equal, deadLettered, missing, different, extra, changed } = summary;
  const { rows, rowsOfOthers, isCountOff, differences, totalMs } = summary;
  const sample = compared < read ? ` of ${formatCount(read)} (a sample)` : '';
  const others = rowsOfOthers > 0 ? ` (${formatCount(rowsOfOthers)} of them not of this run)` : '';
  const perSecond = formatCount((compared * 1000) / totalMs);
  const inFlux =
    changed > 0 ? [`  ${formatPlural(changed, 'document')} changed while they were compared`] : [];
  const off = isCountOff
    ? ['  the table does not have as many rows as there are documents without a dead letter']
    : [];
  const shown = differences.slice(0, maxShown);
  const left = missing + different + extra - shown.length;
  return [
    `${source} and ${table} ${isProven(summary) ? 'are equal' : 'DIFFER'}`,
    `  compared ${formatCount(compared)}${sample} = equal ${formatCount(equal)} + dead-lettered ${formatCount(deadLettered)}` +
      ` + missing ${formatCount(missing)} + different ${formatCount(different)} + changed ${formatCount(changed)}`,
    `  ${formatPlural(rows, 'row')}${others}, ${formatCount(extra)} of them too many`,
    ...inFlux,
    ...off,
    ...shown.map(describeDifference),
    ...(left > 0 && !isProven(summary) ? [`  … and ${formatCount(left)} more`] : []),
    `  ${formatDuration(totalMs)} · ${perSecond} docs/s`,
  ].join('\n');
}

function describeDifference({ kind, id, columns }: NamedDifference): string {
  switch (kind) {
    case 'missing':
      return `  missing: no row for _id ${id}`;
    case 'extra':
      return `  extra: no document for the row with the key ${id}`;
    case 'doubled':
      return `  doubled: more than one row with the key ${id}`;
    case 'different':
      return columns
        .map(({ column, expected, actual }) => {
          return `  different: _id ${id}, column "${column}": ${quote(expected)} in the document, ${quote(actual)} in PostgreSQL`;
        })
        .join('\n');
  }
}

function quote(value: string | null): string {
  return value === null ? 'NULL' : JSON.stringify(value);
}
