#!/usr/bin/env node
/** The program: runs the command line, and ends with the exit code that tells the truth. */

import process from 'node:process';
import { hideBin } from 'yargs/helpers';
import { runCommandLine } from './command-line.ts';
import { MigrationError, toWireError } from '../common/errors.ts';
import type { ErrorEvent } from '../observe/events.ts';
import { isOn } from '../config/option-value.ts';
import { flagOf, options } from '../config/options.ts';
import { outliveReaders, printJson, say } from './output.ts';

outliveReaders();
/** Until the settings are read, as the environment and the flags say it. */
let isJson = isOn(process.env[options.json.env] ?? '') || process.argv.includes(`--${flagOf('json')}`);
try {
  process.exitCode = await runCommandLine(hideBin(process.argv), ({ json }) => {
    isJson = json;
  });
} catch (error) {
  process.exitCode = complain(error);
}

/** One line: what is wrong, and the way out. A defect of ours shows its stack. */
function complain(error: unknown): number {
  const { code, message, fix, exitCode } = toWireError(error);
  const text = fix === '' ? message : `${message} — ${fix}`;
  say(error instanceof MigrationError ? `error: ${text}` : text);
  if (isJson) printJson({ kind: 'error', code, message, fix, exitCode } satisfies ErrorEvent);
  return exitCode;
}
