/** The program as a function: a command line in, what it says into its output, and the exit code that tells the truth. */

import { runCommandLine, type Surroundings } from './command-line.ts';
import { MigrationError, toWireError } from '../common/errors.ts';
import type { ErrorEvent } from '../observe/events.ts';
import { isOn } from '../config/option-value.ts';
import { flagOf, options } from '../config/options.ts';

/** @returns the exit code */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { env, output } = surroundings;
  /** Until the settings are read, as the environment and the flags say it. */
  let isJson = isOn(env[options.json.env] ?? '') || args.includes(`--${flagOf('json')}`);
  try {
    return await runCommandLine(args, surroundings, ({ json }) => {
      isJson = json;
    });
  } catch (error) {
    // One line: what is wrong, and the way out. A defect of ours shows its stack.
    const { code, message, fix, exitCode } = toWireError(error);
    const text = fix === '' ? message : `${message} — ${fix}`;
    output.say(error instanceof MigrationError ? `error: ${text}` : text);
    if (isJson) output.printJson({ kind: 'error', code, message, fix, exitCode } satisfies ErrorEvent);
    return exitCode;
  }
}
