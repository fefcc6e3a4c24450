/** `npm run repair`: takes a new start of following, and copies what differs. */

import { ExitCode } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { Listeners } from '../../observe/listeners.ts';
import { repairAll } from '../../run/follow/repair.ts';
import { type CommandOptions, withServers } from './start.ts';

/** @throws MigrationError */
export async function repair(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { signal, progress } = options;
  const { onEvent } = new Listeners(options.listeners);
  return await withServers(config, options, async (urls) => {
    await repairAll({ ...config, ...urls }, { onEvent, signal, say: progress.say });
    return ExitCode.ok;
  });
}
