/** Parses the command line and runs the command. */

import process from 'node:process';
import { completionFlag } from './completion.ts';
import { readConfig, type Config, type Flags } from '../config/config.ts';
import type { Environment } from '../config/option-value.ts';
import { InterruptedError, stopSignals, toWireError, type StopSignal } from '../common/errors.ts';
import { flagsOfWords, normalizeFlags } from './flags.ts';
import { flagOf } from '../config/options.ts';
import type { CommandName } from '../config/options/option.ts';
import type { Live } from '../observe/live/live.ts';
import { Interrupt } from './interrupt.ts';
import { createProgress, type Progress } from './progress.ts';
import type { CommandOptions } from './commands/command-options.ts';
import { start } from './commands/start.ts';
import { readPlainLine } from './plain-line.ts';
import type { Output } from './output.ts';
import { trialServers } from './trial-servers.ts';

/** The environment and the output of a command: those of the process, or of a caller that runs it as a function. */
export interface Surroundings {
  readonly env: Environment;
  /** Adds to `env` from elsewhere, such as from `.env`. @throws UsageError */
  readonly loadEnv?: () => void;
  readonly output: Output;
}

type Execute = (config: Config, options: CommandOptions) => Promise<number>;

/** All commands but `servers`, which only starts servers. */
const executions: Readonly<Record<Exclude<CommandName, 'servers'>, Execute>> = {
  start,
  join: async (config, options) => (await import('./commands/join.ts')).join(config, options),
  plan: async (config, options) => (await import('./commands/plan.ts')).plan(config, options),
  verify: async (config, options) => (await import('./commands/verify.ts')).verify(config, options),
  status: async (config, options) => (await import('./commands/status.ts')).status(config, options),
  seed: async (config, options) => (await import('./commands/seed.ts')).seed(config, options),
  retry: async (config, options) => (await import('./commands/retry.ts')).retry(config, options),
  cutover: async (config, options) => (await import('./commands/cutover.ts')).cutover(config, options),
  repair: async (config, options) => (await import('./commands/repair.ts')).repair(config, options),
  tune: async (config, options) => (await import('./commands/tune.ts')).tune(config, options),
  promote: async (config, options) => (await import('./commands/promote.ts')).promote(config, options),
  doctor: async (config, options) => (await import('./commands/doctor.ts')).doctor(config, options),
};

const plainCommands = Object.keys(executions) as (keyof typeof executions)[];

/**
 * Parses a command line, and runs the command.
 * @param onSettings called with the settings before the command begins
 * @returns the exit code
 * @throws MigrationError with the exit code in it
 */
export async function runCommandLine(
  args: readonly string[],
  { env, loadEnv, output }: Surroundings,
  onSettings: (config: Config) => void = () => undefined,
): Promise<number> {
  loadEnv?.();
  const run = async (command: keyof typeof executions, flags: Flags): Promise<number> => {
    const config = readConfig(command, flags, env);
    onSettings(config);
    return await runCommand(config, output, executions[command]);
  };
  const { own, command } = splitCommand(args);
  const normalized = args[0] === completionFlag ? own : flagsOfWords(normalizeFlags(own));
  const plain = readPlainLine(normalized, plainCommands);
  if (plain !== null) return await run(plain.command, plain.flags);
  // Help, completion, mistakes, and `servers` with the command line of another program.
  const { parseCommandLine } = await import('./parser.ts');
  return await parseCommandLine(args, normalized, {
    columns: output.stdout.columns ?? 0,
    run,
    serve: async (flags) => {
      const { dataDir } = readConfig('servers', flags, env);
      const { holdServers } = await trialServers.serve();
      const writeLine = (line: string): void => {
        output.say(line);
      };
      return await holdServers({ dataDir, command }, { writeLine });
    },
  });
}

/** `servers --data-dir x psql -c …`: after the flags of `servers` comes the command line of another program, with its flags. */
function splitCommand(args: readonly string[]): { own: readonly string[]; command: readonly string[] } {
  if (args[0] !== 'servers') return { own: args, command: [] };
  let end = 1;
  while (args[end]?.startsWith('-')) end += args[end] === `--${flagOf('dataDir')}` ? 2 : 1;
  return { own: args.slice(0, end), command: args.slice(end) };
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
    // Workers and servers end by themselves when their channel closes.
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

/** Loaded only if it is asked for. */
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
