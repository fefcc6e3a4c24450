/** `npm run tune`: changes how fast running commands read their sources. */

import type { Config } from '../../config/config.ts';
import { noUrl } from '../../config/secret-url.ts';
import { ExitCode } from '../../common/errors.ts';
import { describePace } from '../../run/pace/source-pace.ts';
import { tune as tuneAll } from '../../run/pace/tune.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';

/** @returns `notReady` if a process has not applied the change in time @throws MigrationError */
export async function tune(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { output, progress, signal } = options;
  const rows = await withServers({ ...config, mongoUrl: noUrl }, options, ({ postgresUrl }) =>
    tuneAll({ ...config, postgresUrl }, signal),
  );
  progress.close();
  for (const row of rows) {
    if (config.json) output.printJson({ kind: 'pace', ...row });
    else output.print(`${row.work}: ${describePace(row)}${row.isTaken ? '' : ' (not applied yet)'}\n`);
  }
  return rows.every(({ isTaken }) => isTaken) ? ExitCode.ok : ExitCode.notReady;
}
