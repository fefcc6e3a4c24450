#!/usr/bin/env node
/** The command line: parses it, runs the command, and ends with the exit code that tells the truth. */

import process from 'node:process';
import yargs, { type Argv } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { complete, completionFlag } from './completion.ts';
import { loadDotEnv, readConfig, type Config } from './config.ts';
import { ExitCode, InterruptedError, MigrationError, UsageError } from './errors.ts';
import { flagOf, optionNames, options, type CommandName, type Option } from './options.ts';
import { collectGarbageLess } from './memory.ts';
import type { Metrics } from './metrics.ts';
import { createProgress, type Progress } from './progress.ts';
import { redact } from './redact.ts';
import { retry, seed, start, status, verify, type CommandOptions } from './start.ts';
import { examples, optionGroups } from './help.ts';
import { invoke } from './invocation.ts';

try {
  process.exitCode = await main(hideBin(process.argv));
} catch (error) {
  process.exitCode = complain(error);
}

async function main(args: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.ok;
  loadDotEnv();
  collectGarbageLess();
  const run =
    (command: CommandName, execute: (config: Config, options: CommandOptions) => Promise<number>) =>
    async (flags: object): Promise<void> => {
      exitCode = await runCommand(readConfig(command, flags, process.env), execute);
    };
  const { own, command } = splitCommand(args);
  await yargs(own)
    .scriptName('mongo2pg')
    .usage(
      'Moves a MongoDB collection into PostgreSQL: in parallel, through COPY, every document exactly once.',
    )
    .command('$0', 'migrate a collection', (command) => addOptions(command, 'start'), run('start', start))
    .command(
      'plan',
      'infer a plan, to read, to change, and to start with',
      (command) => addOptions(command, 'plan'),
      run('plan', async (config, options) => (await import('./plan-command.ts')).plan(config, options)),
    )
    .command(
      'verify',
      'compare every document with its row',
      (command) => addOptions(command, 'verify'),
      run('verify', verify),
    )
    .command(
      'status',
      'tell of runs from the ledger, while they go and afterwards',
      (command) => addOptions(command, 'status'),
      run('status', status),
    )
    .command(
      'seed',
      'fill MongoDB with users to try the tool out on',
      (command) => addOptions(command, 'seed'),
      run('seed', seed),
    )
    .command(
      'retry',
      'load the dead letters of a table again, once the table is mended',
      (command) => addOptions(command, 'retry'),
      run('retry', retry),
    )
    .command(
      'servers',
      'hold the embedded servers until Ctrl-C; `servers psql …` runs a program with them',
      (parser) => addOptions(parser, 'servers'),
      async (flags: object) => {
        const { dataDir } = readConfig('servers', flags, process.env);
        const { holdServers } = await import('./embedded/serve.ts');
        exitCode = await holdServers({ dataDir, command });
      },
    )
    .completion(
      'completion',
      'print a script that completes commands and options in bash and zsh',
      (current: string) => complete(args.slice(2, -1), current),
    )
    .epilogue(
      'Each option can be set in the environment, or in a file .env, under the name in brackets.\n' +
        'Exit codes: 0 all copied (or equal) · 1 defect · 2 usage · 3 MongoDB · 4 PostgreSQL · 5 dead letters · 6 different · 130, 143 stopped.',
    )
    .parserConfiguration({ 'duplicate-arguments-array': false })
    .strict()
    .wrap(Math.min(110, process.stdout.columns || 110))
    // Only what prints a completion is to end there, and yargs goes on unless it may end the process.
    .exitProcess(args[0] === 'completion' || args[0] === completionFlag)
    .fail((message, error) => {
      // An error of ours has passed through yargs; any other text is about the command line.
      throw (
        (error as Error | null) ??
        new UsageError(message.replaceAll('\n', ' '), { fix: `see ${invoke('start', '--help')}.` })
      );
    })
    .parseAsync();
  return exitCode;
}

/** `servers --data-dir x psql -c …`: what follows the flags of `servers` is another program's command line, flags and all. */
function splitCommand(args: readonly string[]): { own: readonly string[]; command: readonly string[] } {
  if (args[0] !== 'servers') return { own: args, command: [] };
  let end = 1;
  while (args[end]?.startsWith('-')) end += args[end] === `--${flagOf('dataDir')}` ? 2 : 1;
  return { own: args.slice(0, end), command: args.slice(end) };
}

/** Every flag takes text: `readConfig` checks it, so that flags, environment and `.env` have the same rules. */
function addOptions<T>(command: Argv<T>, name: CommandName): Argv<T> {
  for (const key of optionNames) {
    const option: Option = options[key];
    if (!option.commands.includes(name)) continue;
    const shown = option.default === '' ? '' : ` (default: ${option.default})`;
    command.option(flagOf(key), {
      type: option.kind === 'switch' ? 'boolean' : 'string',
      requiresArg: option.kind !== 'switch',
      describe: `${option.describe} [${option.env}]${shown}`,
      group: `${optionGroups[key]}:`,
    });
  }
  for (const [line, what] of examples[name]) command.example(line, what);
  return command;
}

async function runCommand(
  config: Config,
  execute: (config: Config, options: CommandOptions) => Promise<number>,
): Promise<number> {
  const progress = await createProgress(config.json);
  const metrics = await openMetrics(config, progress);
  const listeners = metrics === null ? [progress] : [metrics, progress];
  const interrupt = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    const error = new InterruptedError(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
    // The second one ends at once: workers and servers see their channel close and end as well.
    if (interrupt.signal.aborted) process.exit(error.exitCode);
    progress.say(`${signal}: finishing what is in flight; once more ends at once`);
    interrupt.abort(error);
  };

  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await execute(config, { progress, listeners, signal: interrupt.signal });
  } finally {
    progress.close();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await metrics?.close();
  }
}

/** Loaded only where they are asked for. */
async function openMetrics(
  { metricsPort, metricsHost }: Config,
  { say, close }: Progress,
): Promise<Metrics | null> {
  if (metricsPort === undefined) return null;
  const { serveMetrics } = await import('./metrics.ts');
  try {
    const metrics = await serveMetrics(metricsHost, metricsPort);
    say(`metrics are at ${metrics.url}`);
    return metrics;
  } catch (error) {
    close();
    throw error;
  }
}

/** One line: what is wrong, and the way out. A defect of ours shows its stack. */
function complain(error: unknown): number {
  if (error instanceof MigrationError) {
    const text = error.fix === '' ? error.message : `${error.message} — ${error.fix}`;
    process.stderr.write(`error: ${redact(text)}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `${redact(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`,
  );
  return ExitCode.internal;
}
