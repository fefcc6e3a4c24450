/** `npm run cutover`: ends following once writes have stopped, or says why it is not possible. */

import { ExitCode } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import type { JobListener } from '../../observe/listeners.ts';
import { cutover as cutOver } from '../../run/follow/cutover/cutover-job.ts';
import { describeVerification } from '../text/verification.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';

/** @throws MigrationError */
export async function cutover(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { output, listeners, signal } = options;
  const printer: JobListener = {
    onEvent: (event) => {
      if (event.kind === 'verified' && !config.json) output.print(`\n${describeVerification(event)}\n`);
    },
  };
  return await withServers(config, options, async (urls) => {
    await cutOver({ ...config, ...urls }, { listeners: [...listeners, printer], signal });
    return ExitCode.ok;
  });
}
