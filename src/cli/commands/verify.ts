/** `npm run verify`: compares every document with its row. */

import type { Config } from '../../config/config.ts';
import type { ExitCode } from '../../common/errors.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';
import { codeOfComparison, compareAll } from './comparison.ts';

/** @throws MigrationError */
export async function verify(config: Config, options: CommandOptions): Promise<ExitCode> {
  if (config.hosts) return await (await import('./together.ts')).workTogether(config, options, 'verify');
  const verified = await withServers(config, options, (urls) => compareAll({ ...config, ...urls }, options));
  options.progress.close();
  return codeOfComparison(config, options.output, verified);
}
