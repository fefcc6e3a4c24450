/** Reports collections that failed. */

import type { Config } from '../../config/config.ts';
import type { ErrorEvent } from '../../observe/events.ts';
import type { Failure } from '../../observe/outcome.ts';
import type { Output } from '../output.ts';

export function reportFailures(
  { json }: Pick<Config, 'json'>,
  output: Output,
  failures: readonly Failure[],
): void {
  for (const failure of failures) {
    const { source, message, fix } = failure;
    if (json) output.printJson({ kind: 'error', ...failure } satisfies ErrorEvent);
    output.say(`error: ${source}: ${message}${fix === '' ? '' : ` — ${fix}`}`);
  }
}
