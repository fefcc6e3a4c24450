/** Errors that stop a cutover; following continues. */

import { ExitCode, MigrationError } from '../../../common/errors.ts';
import { formatPlural } from '../../../common/format.ts';
import type { Config } from '../../../config/config.ts';
import { invoke } from '../../../config/invocation.ts';

export function requireNoLetters(
  { maxDeadLetters = 0 }: Config,
  refused: number,
  deadLettered: number,
): void {
  if (deadLettered <= maxDeadLetters) return;
  throw new MigrationError(
    ExitCode.deadLetters,
    `${formatPlural(deadLettered, 'document')} could not become rows (${refused} of them are tried again)`,
    {
      code: 'CUTOVER_DEAD_LETTERS',
      fix: 'npm run status shows the reasons; or accept as many with --max-dead-letters.',
    },
  );
}

export function differ(what = 'rows and documents differ'): MigrationError {
  return new MigrationError(ExitCode.different, what, {
    code: 'CUTOVER_DIFFERENT',
    fix: `the comparison lists them; ${invoke('repair')} copies what differs. Following continues.`,
  });
}

export function notReady(message: string, fix: string): MigrationError {
  return new MigrationError(ExitCode.notReady, `not cut over: ${message}`, {
    code: 'CUTOVER_NOT_READY',
    fix,
  });
}
