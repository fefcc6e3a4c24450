/** The program as a function: takes a command line, writes to an Output, returns the exit code. */

import { runCommandLine, type Surroundings } from './command-line.ts';
import { MigrationError, toWireError } from '../common/errors.ts';
import type { ErrorEvent } from '../observe/events.ts';
import { isOn } from '../config/option-value.ts';
import { flagOf, options } from '../config/options.ts';

/** @returns the exit code */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { env, output } = surroundings;
  /** Guessed from the environment and the flags until the settings are read. */
  let isJson = isOn(env[options.json.env] ?? '') || args.includes(`--${flagOf('json')}`);
  try {
    return await runCommandLine(args, surroundings, ({ json }) => {
      isJson = json;
    });
  } catch (error) {
    // One line: what is wrong, and the fix. A defect of this tool shows its stack.
    const { code, message, fix, exitCode } = toWireError(error);
    const text = fix === '' ? message : `${message} — ${fix}`;
    output.say(error instanceof MigrationError ? `error: ${text}` : text);
    if (isJson) output.printJson({ kind: 'error', code, message, fix, exitCode } satisfies ErrorEvent);
    return exitCode;
  }
}
