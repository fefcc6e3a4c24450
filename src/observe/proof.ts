/** Decides and describes whether rows and documents are proven equal. */

import { formatCount, formatPlural } from '../common/format.ts';
import type { VerificationSummary } from './verification-summary.ts';
import type { FollowedState, ProofState } from './follow-events.ts';

export function isProven(summary: VerificationSummary): boolean {
  return countWrong(summary) === 0 && !summary.isCountOff;
}

export function countWrong({ missing, different, extra, extraChildRows }: VerificationSummary): number {
  return missing + different + extra + extraChildRows;
}

/** Describes what was compared while a collection was followed. */
export function describeProof({ verifiedAt, compared, unverified, different }: ProofState): string {
  const all =
    verifiedAt === null
      ? `comparing all documents, ${formatCount(compared)} so far`
      : `all documents compared until ${verifiedAt.slice(0, 19).replace('T', ' ')} UTC`;
  const wrong = different === 0 ? [] : [`${formatCount(different)} differ`];
  return [all, `${formatPlural(unverified, 'document')} to compare again`, ...wrong].join(', ');
}

/** Documents to compare again, in all collections; null until every document has been compared once. */
export function countUnverified(collections: readonly Pick<FollowedState, 'proof'>[]): number | null {
  let unverified = 0;
  for (const { proof } of collections) {
    if (proof?.verifiedAt == null) return null;
    unverified += proof.unverified;
  }
  return unverified;
}
