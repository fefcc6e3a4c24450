/** `npm run join`: takes part in the migration that another host has begun with `--hosts`. */

import type { Config } from '../../config/config.ts';
import type { ExitCode } from '../../common/errors.ts';
import type { CommandOptions } from './command-options.ts';
import { startAs } from './start.ts';

/** @throws MigrationError */
export async function join(config: Config, options: CommandOptions): Promise<ExitCode> {
  return await startAs(config, options, 'joins');
}
