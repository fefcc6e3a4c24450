/** What has been copied: its reports, and the exit code of the command. */

import type { Config } from '../../config/config.ts';
import { namesSeveral } from '../../config/collection-choice.ts';
import { ExitCode } from '../../common/errors.ts';
import type { JobListener } from '../../observe/listeners.ts';
import type { Outcome } from '../../observe/outcome.ts';
import { isProven } from '../../observe/proof.ts';
import type { Verified } from '../../run/verify/verify.ts';
import type { Output } from '../output.ts';
import { reportFailures } from '../text/failures.ts';
import { describeOutcome, describeSummary, describeUnexpectedAmount } from '../text/summary.ts';
import type { CommandOptions } from './command-options.ts';

/** Nothing was compared. */
export const uncompared: Verified = { summaries: [], failures: [] };

/** Runs `work`, and writes a report if one is asked for; its code is loaded only then. */
export async function recorded<T>(
  { report }: Pick<Config, 'report'>,
  { progress }: Pick<CommandOptions, 'progress'>,
  work: (recorders: readonly JobListener[]) => Promise<T>,
): Promise<T> {
  if (report === undefined) return await work([]);
  const { withReport } = await import('../../observe/report/write-report.ts');
  return await withReport(report, progress.say, (recorder) => work([recorder]));
}

export function reportCopied(
  config: Pick<Config, 'json' | 'amountUsers' | 'mongoCollection'>,
  output: Output,
  outcome: Outcome,
): void {
  const { summaries, failures } = outcome;
  const [first] = summaries;
  if (summaries.length === 1 && first !== undefined) {
    const warning = describeUnexpectedAmount(config.amountUsers, first.read);
    if (warning !== null) output.say(`warning: ${warning}`);
  }
  reportFailures(config, output, failures);
  // The events already have the summaries.
  if (config.json) return;
  for (const summary of summaries) output.print(`\n${describeSummary(summary)}\n`);
  if (namesSeveral(config.mongoCollection)) {
    output.print(`\n${describeOutcome(outcome)}\n`);
  }
}

/** The ledger may have an older run of them, which is not the one to compare. */
export function listFailed({ failures }: Outcome): ReadonlySet<string> {
  return new Set(failures.map(({ source }) => source));
}

/** Of a command that copies, and may compare afterwards. */
export function codeOfCopy(
  { follow }: Pick<Config, 'follow'>,
  outcome: Outcome,
  verified: Verified,
): ExitCode {
  const [failure] = [...outcome.failures, ...verified.failures];
  if (failure !== undefined) return failure.exitCode;
  if (!verified.summaries.every(isProven)) return ExitCode.different;
  // Those of the copy may be gone; the cutover that has ended following has counted what is left.
  if (follow) return ExitCode.ok;
  const all = [...outcome.summaries, ...outcome.copiedBefore];
  const isAllCopied = all.every(({ deadLettered }) => deadLettered === 0);
  return isAllCopied ? ExitCode.ok : ExitCode.deadLetters;
}
