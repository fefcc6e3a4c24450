/** The program as a process: arguments, environment and streams in, exit code out. */

import process from 'node:process';
import { collectGarbageLess } from '../common/memory.ts';
import { loadDotEnv } from '../config/config.ts';
import { Output } from './output.ts';
import { runProgram } from './program.ts';
import { outliveTerminals } from './terminals.ts';

outliveTerminals();
collectGarbageLess();
process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  loadEnv: loadDotEnv,
  output: new Output(process.stdout, process.stderr),
});
