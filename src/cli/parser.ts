/** The full parser of command lines, with help, completion and usage errors. Loaded only if a line needs it. */

import yargs, { type Argv } from 'yargs';
import { ExitCode, UsageError } from '../common/errors.ts';
import { holdsUrl } from '../common/redact.ts';
import { readToolVersion } from '../common/tool-version.ts';
import type { Flags } from '../config/config.ts';
import { invoke } from '../config/invocation.ts';
import { flagOf, optionNames, options, shownDefault } from '../config/options.ts';
import type { CommandName, Option } from '../config/options/option.ts';
import { complete, completionFlag } from './completion.ts';
import { examples } from './help.ts';
import { listFlags } from './plain-line.ts';

export interface ParserOptions {
  /** The width of the terminal; 0 if there is none. */
  readonly columns: number;
  /** Runs the command, and returns the exit code. */
  readonly run: (command: Exclude<CommandName, 'servers'>, flags: Flags) => Promise<number>;
  readonly serve: (flags: Flags) => Promise<number>;
}

/**
 * @param args the arguments as they were given
 * @param normalized what to parse: normalized, and without the command line of another program
 * @returns the exit code
 * @throws UsageError, or what the command throws
 */
export async function parseCommandLine(
  args: readonly string[],
  normalized: readonly string[],
  { columns, run: runCommand, serve }: ParserOptions,
): Promise<number> {
  let exitCode: number = ExitCode.ok;
  const run =
    (command: Exclude<CommandName, 'servers'>) =>
    async (parsed: object): Promise<void> => {
      exitCode = await runCommand(command, listFlags(parsed as Record<string, unknown>));
    };
  await yargs(normalized)
    .scriptName('mongo2pg')
    .version(readToolVersion())
    .usage('Copies MongoDB collections into PostgreSQL: in parallel, with COPY, every document exactly once.')
    .command('$0', 'copy collections', (command) => addOptions(command, 'start'), run('start'))
    .command(
      'join',
      'take part in what another host has begun with --hosts',
      (command) => addOptions(command, 'join'),
      run('join'),
    )
    .command(
      'plan',
      'infer a plan: which field goes to which column',
      (command) => addOptions(command, 'plan'),
      run('plan'),
    )
    .command(
      'verify',
      'compare every document with its row',
      (command) => addOptions(command, 'verify'),
      run('verify'),
    )
    .command(
      'status',
      'show runs, from the ledger',
      (command) => addOptions(command, 'status'),
      run('status'),
    )
    .command('seed', 'fill MongoDB with sample users', (command) => addOptions(command, 'seed'), run('seed'))
    .command(
      'retry',
      'load the dead letters of a table again, after fixing the table',
      (command) => addOptions(command, 'retry'),
      run('retry'),
    )
    .command(
      'cutover',
      'end following once writes have stopped: wait for the last change, and compare',
      (command) => addOptions(command, 'cutover'),
      run('cutover'),
    )
    .command(
      'repair',
      'restart following after its history was lost, and copy only what differs',
      (command) => addOptions(command, 'repair'),
      run('repair'),
    )
    .command(
      'doctor',
      'check both sides before a migration, and say what to change',
      (command) => addOptions(command, 'doctor'),
      run('doctor'),
    )
    .command(
      'tune',
      'change how fast running commands read their sources',
      (command) => addOptions(command, 'tune'),
      run('tune'),
    )
    .command(
      // The words after it are flags by now; yargs refuses further words.
      'promote',
      'TABLE FIELD: give a field that is kept in _extra a column of its own',
      (command) => addOptions(command, 'promote'),
      run('promote'),
    )
    .command(
      'servers',
      'run the embedded servers until Ctrl-C; `servers psql …` runs a program with them',
      (parser) => addOptions(parser, 'servers'),
      async (parsed: object) => {
        exitCode = await serve(listFlags(parsed as Record<string, unknown>));
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
      // Flags are normalized: each comes once, and `--no-` is resolved.
      'duplicate-arguments-array': false,
      'boolean-negation': false,
      'dot-notation': false,
    })
    .strict()
    .wrap(Math.min(maxColumns, columns > 0 ? columns : maxColumns))
    // After a completion yargs must end the process; otherwise it would run the command.
    .exitProcess(args[0] === 'completion' || args[0] === completionFlag)
    .fail((message: string | null, thrown) => {
      const error = thrown as Error | null | undefined;
      // An error of a command, or a defect, that passed through yargs.
      if (error !== null && error !== undefined && error.name !== 'YError') throw error;
      throw new UsageError(hideUrls(message ?? error?.message ?? '', args).replaceAll('\n', ' '), {
        code: 'COMMAND_LINE',
        fix: `see ${invoke('start', '--help')}.`,
      });
    })
    .parseAsync();
  return exitCode;
}

/** Longer lines of help are hard to read. */
const maxColumns = 110;

/** yargs repeats unknown arguments in its message. An argument with a URL is hidden whole, because a password may have any character. */
function hideUrls(message: string, args: readonly string[]): string {
  return args.filter(holdsUrl).reduce((text, argument) => text.replaceAll(argument, '***'), message);
}

/** Every flag is text to yargs. `readConfig` checks it, so that flags, environment and `.env` have the same rules. */
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
