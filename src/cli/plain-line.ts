/**
 * Reads simple command lines without yargs: a command, and known flags with their values. Nearly all are such. Loading
 * yargs would take a tenth of the processor time of a small run.
 */

import type { Flags } from '../config/config.ts';
import { flagOf, optionNames, options, type OptionName } from '../config/options.ts';
import type { CommandName } from '../config/options/option.ts';

export interface PlainLine<Command extends CommandName> {
  readonly command: Command;
  readonly flags: Flags;
}

const optionOfFlag: ReadonlyMap<string, OptionName> = new Map(
  optionNames.map((name) => [flagOf(name), name]),
);

/**
 * @param normalized the result of `normalizeFlags`
 * @param commands the commands to recognize; without a word it is `start`
 * @returns null if the full parser must decide what is meant, or what is wrong
 */
export function readPlainLine<Command extends CommandName>(
  normalized: readonly string[],
  commands: readonly Command[],
): PlainLine<Command | 'start'> | null {
  const words = normalized.filter((word) => !word.startsWith('-'));
  const [named = 'start'] = words;
  const command = named === 'start' ? named : commands.find((name) => name === named);
  if (command === undefined || words.length > 1 || words[0] === 'start') return null;
  const flags: Flags = {};
  for (const word of normalized) {
    if (word === command) continue;
    const [, flag = '', value = ''] = /^--([^=]+)=(.+)$/s.exec(word) ?? [];
    const name = optionOfFlag.get(flag);
    // The full parser removes quotes around a value.
    if (name === undefined || /^(["']).*\1$/s.test(value)) return null;
    const { kind, commands: takers } = options[name];
    if (!(takers as readonly CommandName[]).includes(command)) return null;
    flags[name] = kind === 'switch' ? value === 'true' : value;
  }
  return { command, flags };
}

/** The flags that yargs has parsed, by the names of their options. */
export function listFlags(parsed: Readonly<Record<string, unknown>>): Flags {
  return Object.fromEntries(optionNames.map((name) => [name, parsed[flagOf(name)]]));
}
