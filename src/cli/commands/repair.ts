/** `npm run repair`: restarts following after its history was lost, and copies only what differs. */

import { ExitCode } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { repair as repairAll } from '../../run/follow/repair.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';

/** @throws MigrationError */
export async function repair(config: Config, options: CommandOptions): Promise<ExitCode> {
  return await withServers(config, options, async (urls) => {
    await repairAll({ ...config, ...urls }, options);
    return ExitCode.ok;
  });
}
