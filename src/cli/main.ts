#!/usr/bin/env node
/** The program, as a process. */

import process from 'node:process';
import { hideBin } from 'yargs/helpers';
import { collectGarbageLess } from '../common/memory.ts';
import { loadDotEnv } from '../config/config.ts';
import { Output } from './output.ts';
import { runProgram } from './program.ts';
import { outliveTerminals } from './terminals.ts';

outliveTerminals();
collectGarbageLess();
process.exitCode = await runProgram(hideBin(process.argv), {
  env: process.env,
  loadEnv: loadDotEnv,
  output: new Output(process.stdout, process.stderr),
});
