/** Compares, as several commands do, and shows the results. */

import type { Config } from '../../config/config.ts';
import { ExitCode } from '../../common/errors.ts';
import type { JobListener } from '../../observe/listeners.ts';
import { isProven } from '../../observe/proof.ts';
import type { Verified, VerifyOptions } from '../../run/verify/verify.ts';
import type { Output } from '../output.ts';
import { reportFailures } from '../text/failures.ts';
import { describeVerification } from '../text/verification.ts';
import type { CommandOptions } from './command-options.ts';

/** Prints the result of each collection as soon as it is compared: the next may take hours, or fail. */
export async function compareAll(
  config: Config,
  { output, listeners, signal }: Pick<CommandOptions, 'output' | 'listeners' | 'signal'>,
  more: Pick<VerifyOptions, 'leftOut' | 'shared'> = {},
): Promise<Verified> {
  // Loads the driver, which `start` loads only once its workers are starting.
  const { verify: compare } = await import('../../run/verify/verify.ts');
  const printer: JobListener = {
    onEvent: (event) => {
      if (event.kind === 'verified' && !config.json) output.print(`\n${describeVerification(event)}\n`);
    },
  };
  return await compare(config, { listeners: [...listeners, printer], signal, ...more });
}

/** Reports collections that could not be compared. @returns the exit code of a command that only compares */
export function codeOfComparison(
  config: Pick<Config, 'json'>,
  output: Output,
  { summaries, failures }: Verified,
): ExitCode {
  reportFailures(config, output, failures);
  // A difference is certain, so it takes precedence over a collection that could not be compared.
  const isDifferent =
    !summaries.every(isProven) || failures.some(({ exitCode }) => exitCode === ExitCode.different);
  return isDifferent ? ExitCode.different : (failures[0]?.exitCode ?? ExitCode.ok);
}
