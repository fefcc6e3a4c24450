/** `npm run join`: takes part in what another host has begun with `--hosts`. */

import type { Config } from '../../config/config.ts';
import type { ExitCode } from '../../common/errors.ts';
import type { CommandOptions } from './command-options.ts';
import { workTogether } from './together.ts';

/** @throws MigrationError */
export async function join(config: Config, options: CommandOptions): Promise<ExitCode> {
  return await workTogether(config, options, null);
}
