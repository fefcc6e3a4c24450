/** The command line: what it may say, and the command that it asks for. */

import process from 'node:process';
import yargs, { type Argv } from 'yargs';
import { complete, completionFlag } from './completion.ts';
import { readConfig, type Config } from '../config/config.ts';
import type { Environment } from '../config/option-value.ts';
import {
  ExitCode,
  InterruptedError,
  stopSignals,
  toWireError,
  UsageError,
  type StopSignal,
} from '../common/errors.ts';
import { settleFlags } from './flags.ts';
import {
  flagOf,
  optionNames,
  options,
  shownDefault,
  type CommandName,
  type Option,
} from '../config/options.ts';
import type { Live } from '../observe/live/live.ts';
import { Interrupt } from './interrupt.ts';
import { createProgress, type Progress } from './progress.ts';
import { holdsUrl } from '../common/redact.ts';
import { retry, seed, start, status, verify, type CommandOptions } from './commands/start.ts';
import { examples } from './help.ts';
import { invoke } from '../config/invocation.ts';
import type { Output } from './output.ts';
import { trialServers } from './trial-servers.ts';

/** What a command has around it: of the process, or of who runs it as a function. */
export interface Surroundings {
  readonly env: Environment;
  /** Adds to `env` what is found elsewhere. @throws UsageError */
  readonly loadEnv?: () => void;
  readonly output: Output;
}

/**
 * Parses a command line, and runs the command.
 * @param onSettings hears the settings before the command begins
 * @returns the exit code
 * @throws MigrationError with the exit code in it
 */
export async function runCommandLine(
  args: readonly string[],
  { env, loadEnv, output }: Surroundings,
  onSettings: (config: Config) => void = () => undefined,
): Promise<number> {
  let exitCode: number = ExitCode.ok;
  loadEnv?.();
  const run =
    (command: CommandName, execute: (config: Config, options: CommandOptions) => Promise<number>) =>
    async (flags: object): Promise<void> => {
      const config = readConfig(command, flags, env);
      onSettings(config);
      exitCode = await runCommand(config, output, execute);
    };
  const { own, command } = splitCommand(args);
  const { columns = 0 } = output.stdout;
  await yargs(args[0] === completionFlag ? own : settleFlags(own))
    .scriptName('mongo2pg')
    .usage('Copies MongoDB collections into PostgreSQL: in parallel, with COPY, every document exactly once.')
    .command('$0', 'copy collections', (command) => addOptions(command, 'start'), run('start', start))
    .command(
      'plan',
      'infer a plan: which field goes to which column',
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
      'show runs, from the ledger',
      (command) => addOptions(command, 'status'),
      run('status', status),
    )
    .command(
      'seed',
      'fill MongoDB with sample users',
      (command) => addOptions(command, 'seed'),
      run('seed', seed),
    )
    .command(
      'retry',
      'load the dead letters of a table again, after fixing the table',
      (command) => addOptions(command, 'retry'),
      run('retry', retry),
    )
    .command(
      'cutover',
      'end following once writes have stopped: wait for the last change, and compare',
      (command) => addOptions(command, 'cutover'),
      run('cutover', async (config, options) =>
        (await import('./commands/cutover.ts')).cutover(config, options),
      ),
    )
    .command(
      'repair',
      'take a new start of following, and copy what differs',
      (command) => addOptions(command, 'repair'),
      run('repair', async (config, options) =>
        (await import('./commands/repair.ts')).repair(config, options),
      ),
    )
    .command(
      'servers',
      'run the embedded servers until Ctrl-C; `servers psql …` runs a program with them',
      (parser) => addOptions(parser, 'servers'),
      async (flags: object) => {
        const { dataDir } = readConfig('servers', flags, env);
        const { holdServers } = await trialServers.serve();
        exitCode = await holdServers(
          { dataDir, command },
          {
            writeLine: (line) => {
              output.say(line);
            },
          },
        );
      },
    )
    .completion('completion', 'print a completion script for bash and zsh', (current: string) =>
      complete(args.slice(2, -1), current),
    )
    .epilogue(
      'Each option can also be set in the environment or in a .env file, under the name in brackets.\n' +
        'Exit codes: 0 all copied (or equal) · 1 defect · 2 usage · 3 MongoDB · 4 PostgreSQL · 5 dead letters · 6 different · 7 history lost · 8 not ready to cut over · 129, 130, 143 stopped.',
    )
    .parserConfiguration({
      // Our flags come here once each, and `--no-` is for those alone that are on or off.
      'duplicate-arguments-array': false,
      'boolean-negation': false,
      'dot-notation': false,
    })
    .strict()
    .wrap(Math.min(maxColumns, columns > 0 ? columns : maxColumns))
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

/** Wider lines of help are hard to read. */
const maxColumns = 110;

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
    const standard = shownDefault(key);
    const shown = standard === '' ? '' : ` (default: ${standard})`;
    command.option(flagOf(key), {
      type: option.kind === 'switch' ? 'boolean' : 'string',
      requiresArg: option.kind !== 'switch',
      describe: `${option.describe} [${option.env}]${shown}`,
      group: `${option.group}:`,
    });
  }
  for (const [line, what] of examples[name]) command.example(line, what);
  return command;
}

async function runCommand(
  config: Config,
  output: Output,
  execute: (config: Config, options: CommandOptions) => Promise<number>,
): Promise<number> {
  const progress = await createProgress(config.json, output);
  const live = await openLive(config, progress);
  const listeners = live === null ? [progress] : [live, progress];
  const interrupt = new Interrupt();
  const onSignal = (signal: StopSignal): void => {
    const meaning = interrupt.hear(signal, performance.now());
    // Workers and servers see their channel close, and end as well.
    if (meaning === 'again') process.exit(new InterruptedError(signal).exitCode);
    if (meaning === 'first') {
      progress.say(`${signal}: committing the batches in flight; repeat it to stop at once`);
    }
  };

  for (const signal of stopSignals) process.on(signal, onSignal);
  let end = '';
  try {
    return await execute(config, { output, progress, listeners, signal: interrupt.signal });
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
  { metricsPort, metricsHost }: Pick<Config, 'metricsPort' | 'metricsHost'>,
  { say, close }: Progress,
): Promise<Live | null> {
  if (metricsPort === undefined) return null;
  const { serveLive } = await import('../observe/live/live.ts');
  try {
    const live = await serveLive(metricsHost, metricsPort);
    say(`metrics: ${live.url}metrics`);
    say(`to watch in a browser: ${live.url}`);
    return live;
  } catch (error) {
    close();
    throw error;
  }
}
