/** The command line: what it may say, and the command that it asks for. */

import process from 'node:process';
import yargs, { type Argv } from 'yargs';
import { complete, completionFlag } from './completion.ts';
import { loadDotEnv, readConfig, type Config } from '../config/config.ts';
import {
  ExitCode,
  InterruptedError,
  stopSignals,
  toWireError,
  UsageError,
  type StopSignal,
} from '../common/errors.ts';
import { settleFlags } from './flags.ts';
import { flagOf, optionNames, options, type CommandName, type Option } from '../config/options.ts';
import { collectGarbageLess } from '../common/memory.ts';
import type { Live } from '../observe/live/live.ts';
import { Interrupt } from './interrupt.ts';
import { createProgress, type Progress } from './progress.ts';
import { holdsUrl } from '../common/redact.ts';
import { retry, seed, start, status, verify, type CommandOptions } from './commands/start.ts';
import { examples, optionGroups } from './help.ts';
import { invoke } from '../config/invocation.ts';
import { trialServers } from './trial-servers.ts';

/**
 * Parses a command line, and runs the command.
 * @param onSettings hears the settings before the command begins
 * @returns the exit code
 * @throws MigrationError with the exit code in it
 */
export async function runCommandLine(
  args: readonly string[],
  onSettings: (config: Config) => void = () => undefined,
): Promise<number> {
  let exitCode: number = ExitCode.ok;
  loadDotEnv();
  collectGarbageLess();
  const run =
    (command: CommandName, execute: (config: Config, options: CommandOptions) => Promise<number>) =>
    async (flags: object): Promise<void> => {
      const config = readConfig(command, flags, process.env);
      onSettings(config);
      exitCode = await runCommand(config, execute);
    };
  const { own, command } = splitCommand(args);
  await yargs(args[0] === completionFlag ? own : settleFlags(own))
    .scriptName('mongo2pg')
    .usage(
      'Moves a MongoDB collection into PostgreSQL: in parallel, through COPY, every document exactly once.',
    )
    .command('$0', 'migrate a collection', (command) => addOptions(command, 'start'), run('start', start))
    .command(
      'plan',
      'infer a plan, to read, to change, and to start with',
      (command) => addOptions(command, 'plan'),
      run('plan', async (config, options) => (await import('./commands/plan.ts')).plan(config, options)),
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
        const { holdServers } = await trialServers.serve();
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
        'Exit codes: 0 all copied (or equal) · 1 defect · 2 usage · 3 MongoDB · 4 PostgreSQL · 5 dead letters · 6 different · 129, 130, 143 stopped.',
    )
    .parserConfiguration({
      // Our flags come here once each, and `--no-` is for those alone that are on or off.
      'duplicate-arguments-array': false,
      'boolean-negation': false,
      'dot-notation': false,
    })
    .strict()
    .wrap(Math.min(110, process.stdout.columns || 110))
    // Only what prints a completion is to end there, and yargs goes on unless it may end the process.
    .exitProcess(args[0] === 'completion' || args[0] === completionFlag)
    .fail((message: string | null, thrown) => {
      const error = thrown as Error | null | undefined;
      // An error of ours, or a defect, has passed through yargs.
      if (error !== null && error !== undefined && error.name !== 'YError') throw error;
      throw new UsageError(hideUrls(message ?? error?.message ?? '', args).replaceAll('\n', ' '), {
        code: 'COMMAND_LINE',
        fix: `see ${invoke('start', '--help')}.`,
      });
    })
    .parseAsync();
  return exitCode;
}

/** What yargs does not know it repeats, and a password may have any character. */
function hideUrls(message: string, args: readonly string[]): string {
  return args.filter(holdsUrl).reduce((text, argument) => text.replaceAll(argument, '***'), message);
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
  const live = await openLive(config, progress);
  const listeners = live === null ? [progress] : [live, progress];
  const interrupt = new Interrupt();
  const onSignal = (signal: StopSignal): void => {
    const meaning = interrupt.hear(signal, performance.now());
    // Workers and servers see their channel close, and end as well.
    if (meaning === 'again') process.exit(new InterruptedError(signal).exitCode);
    if (meaning === 'first') {
      progress.say(`${signal}: finishing what is in flight; once more ends at once`);
    }
  };

  for (const signal of stopSignals) process.on(signal, onSignal);
  let end = '';
  try {
    return await execute(config, { progress, listeners, signal: interrupt.signal });
  } catch (error) {
    end = toWireError(error).message;
    throw error;
  } finally {
    progress.close();
    for (const signal of stopSignals) process.off(signal, onSignal);
    await live?.close(end);
  }
}

/** Loaded only where it is asked for. */
async function openLive(
  { metricsPort, metricsHost }: Config,
  { say, close }: Progress,
): Promise<Live | null> {
  if (metricsPort === undefined) return null;
  const { serveLive } = await import('../observe/live/live.ts');
  try {
    const live = await serveLive(metricsHost, metricsPort);
    say(`metrics are at ${live.url}metrics`);
    say(`to watch in a browser: ${live.url}`);
    return live;
  } catch (error) {
    close();
    throw error;
  }
}
