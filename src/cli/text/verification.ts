/** Describes the result of a comparison. */

import type { NamedDifference, VerificationSummary } from '../../observe/verification-summary.ts';
import { countWrong, isProven } from '../../observe/proof.ts';
import { formatCount, formatDuration, formatPlural } from '../../common/format.ts';

/** How many differences are shown; JSON has more. */
const maxShown = 20;

/** An `_id` can be a document of megabytes; JSON has all of it. */
const maxIdCharacters = 200;

export function describeVerification(summary: VerificationSummary): string {
  const { source, table, read, compared, equal, deadLettered, missing, different, extra, changed } = summary;
  const { dropped = 0, rows, rowsOfOthers, extraChildRows, isCountOff, differences, totalMs } = summary;
  const sample = summary.isSample ? ` of ${formatCount(read)} (a sample)` : '';
  const without = dropped === 0 ? '' : ` + dropped ${formatCount(dropped)}`;
  const { verifiedBefore = 0 } = summary;
  const before =
    verifiedBefore > 0
      ? [
          `  ${formatPlural(verifiedBefore, 'document')} were compared while following, and have not changed since`,
        ]
      : [];
  const others = rowsOfOthers > 0 ? ` (${formatCount(rowsOfOthers)} of them not of this run)` : '';
  const perSecond = formatCount((compared * 1000) / totalMs);
  const inFlux =
    changed > 0 ? [`  ${formatPlural(changed, 'document')} changed while they were compared`] : [];
  const orphans =
    extraChildRows > 0 ? [`  ${formatPlural(extraChildRows, 'row')} of child tables without a document`] : [];
  const off = isCountOff ? [describeCount(summary.isSample)] : [];
  const shown = differences.slice(0, maxShown);
  const left = countWrong(summary) - shown.length;
  return [
    `${source} and ${table} ${isProven(summary) ? 'are equal' : 'DIFFER'}`,
    `  compared ${formatCount(compared)}${sample} = equal ${formatCount(equal)} + dead-lettered ${formatCount(deadLettered)}` +
      without +
      ` + missing ${formatCount(missing)} + different ${formatCount(different)} + changed ${formatCount(changed)}`,
    `  ${formatPlural(rows, 'row')}${others}, ${formatCount(extra)} of them too many`,
    ...before,
    ...orphans,
    ...inFlux,
    ...off,
    ...shown.map(describeDifference),
    ...(left > 0 && !isProven(summary) ? [`  … and ${formatCount(left)} more`] : []),
    `  ${formatDuration(totalMs)} · ${perSecond} docs/s`,
  ].join('\n');
}

function describeCount(isSample: boolean): string {
  return isSample
    ? '  the table or a child table has a different number of rows than expected'
    : '  rows are missing: of other runs, from before them, or deleted since they were compared';
}

function describeDifference({ kind, id: whole, place, columns }: NamedDifference): string {
  const id = whole.length > maxIdCharacters ? `${whole.slice(0, maxIdCharacters)}…` : whole;
  switch (kind) {
    case 'missing':
      return `  missing: no row for _id ${id}`;
    case 'extra':
      return `  extra: no document for the row ${place === undefined ? '' : `${place} `}with the key ${id}`;
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
