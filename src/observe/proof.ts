/** Whether a comparison has proven that rows and documents are the same. */

import type { VerificationSummary } from './events.ts';

export function isProven(summary: VerificationSummary): boolean {
  return countWrong(summary) === 0 && !summary.isCountOff;
}

export function countWrong({ missing, different, extra, extraChildRows }: VerificationSummary): number {
  return missing + different + extra + extraChildRows;
}
