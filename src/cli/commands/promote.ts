/** `npm run promote`: gives a field that is kept in the extra column a column of its own. */

import type { Config } from '../../config/config.ts';
import { noUrl } from '../../config/secret-url.ts';
import { ExitCode } from '../../common/errors.ts';
import { promote as promoteField } from '../../run/promote/promote.ts';
import { withServers } from '../servers-in-use.ts';
import { describePromotion } from '../text/promotion.ts';
import type { CommandOptions } from './command-options.ts';

/** @throws MigrationError */
export async function promote(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { output, progress, signal } = options;
  const summary = await withServers({ ...config, mongoUrl: noUrl }, options, ({ postgresUrl }) =>
    promoteField({ ...config, postgresUrl }, { say: progress.say, signal }),
  );
  progress.close();
  if (config.json) output.printJson({ kind: 'promotion', ...summary });
  else output.print(`${describePromotion(summary)}\n`);
  return ExitCode.ok;
}
