/** Describes the findings of `doctor`. */

import { formatPlural } from '../../common/format.ts';
import { invoke } from '../../config/invocation.ts';
import type { Finding } from '../../run/doctor/finding.ts';

const marks = { ok: 'ok     ', advice: 'advice ', problem: 'PROBLEM' } as const;

export function describeFinding({ side, state, text, fix }: Finding, isFirstOfSide: boolean): string {
  const heading = isFirstOfSide ? `\n${side}\n` : '';
  const fixLine = fix === '' ? '' : `           ${fix}\n`;
  return `${heading}  ${marks[state]}  ${text}\n${fixLine}`;
}

/** The last line. */
export function describeFindings(findings: readonly Finding[]): string {
  const count = (state: Finding['state']): number =>
    findings.filter((finding) => finding.state === state).length;
  const problems = count('problem');
  if (problems > 0) return `${formatPlural(problems, 'problem')}: a migration would fail`;
  const advised = count('advice');
  const found = advised === 0 ? 'no problems' : `no problems, ${formatPlural(advised, 'piece')} of advice`;
  return `${found}; next: ${invoke('start', '--dry-run')}`;
}
