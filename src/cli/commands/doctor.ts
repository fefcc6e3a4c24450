/** `npm run doctor`: checks both sides before a migration, and says what to change. */

import { namesSeveral } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import { embedded } from '../../config/server-urls.ts';
import { ExitCode } from '../../common/errors.ts';
import { examine } from '../../run/doctor/doctor.ts';
import type { Finding } from '../../run/doctor/finding.ts';
import { describeFinding, describeFindings } from '../text/doctor.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';
import { seedIfEmpty } from './seed.ts';

/**
 * @returns the exit code of a migration that meets the first problem; 0 if there is none
 * @throws MigrationError
 */
export async function doctor(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { output, progress, signal } = options;
  const findings: Finding[] = [];
  const onFinding = (finding: Finding): void => {
    const isFirstOfSide = finding.side !== findings.at(-1)?.side;
    findings.push(finding);
    if (config.json) output.printJson({ kind: 'finding', ...finding });
    else output.print(describeFinding(finding, isFirstOfSide));
  };
  await withServers(config, options, async (urls) => {
    // The first start fills the built-in source; so that there is something to check, so does this.
    const isTrial = config.mongoUrl.is(embedded) && !namesSeveral(config.mongoCollection);
    if (isTrial) await seedIfEmpty({ ...config, ...urls }, options);
    await examine({ ...config, ...urls }, onFinding, signal);
  });
  progress.close();
  if (!config.json) output.print(`\n${describeFindings(findings)}\n`);
  return findings.find(({ state }) => state === 'problem')?.exitCode ?? ExitCode.ok;
}
