/** Describes the statistics of a field: `string 98.3%, missing 1.7%; longest 31 bytes`. */

import { formatCount } from '../../common/format.ts';
import type { FieldStats } from './field-stats.ts';

/** The shares are of all documents of the sample, the largest first. */
export function describeSeen({ types, count, longestString }: FieldStats, documents: number): string {
  const missing = documents - count;
  const met = byFrequency([...types, ...(missing > 0 ? [['missing', missing] as const] : [])]);
  if (met.length === 0) return 'not seen';
  const shares = met.map(([type, amount]) => `${type} ${formatShare(amount, documents)}`);
  const longest = longestString === 0 ? '' : `; longest ${formatCount(longestString)} bytes`;
  return shares.join(', ') + longest;
}

/** The most frequent first. Among equals, null and missing come last; the order does not depend on the sample's. */
export function byFrequency<Name extends string>(
  amounts: Iterable<readonly [Name, number]>,
): (readonly [Name, number])[] {
  const last = ['null', 'missing'];
  return [...amounts].sort(
    ([nameA, a], [nameB, b]) =>
      b - a || last.indexOf(nameA) - last.indexOf(nameB) || (nameA < nameB ? -1 : 1),
  );
}

/** 100%, 98.3%, <0.1%. Never 100% for less than all, nor 0% for more than none. */
export function formatShare(part: number, whole: number): string {
  if (part === whole) return '100%';
  const percent = (part * 100) / whole;
  if (percent < 0.1) return '<0.1%';
  if (percent > 99.9) return '>99.9%';
  return `${Number(percent.toFixed(1))}%`;
}
