/** Completes the word at the cursor of a shell: commands, the options of the command, and their choices. */

import { flagOf, optionNames, options } from '../config/options.ts';
import { allCommands } from '../config/options/commands.ts';
import type { CommandName, Option } from '../config/options/option.ts';

/** `start` is what runs without a word. */
const commands: readonly CommandName[] = allCommands.filter((name) => name !== 'start');

/** The printed script asks with this flag, the name of the tool, and the words up to and including the one at the cursor. */
export const completionFlag = '--get-yargs-completions';

/** @param words the words before the cursor, without `mongo2pg` */
export function complete(words: readonly string[], current: string): string[] {
  const command = commands.find((name) => name === words[0]) ?? 'start';
  const before = words.at(-1) ?? '';
  const found = optionNames.find((name) => `--${flagOf(name)}` === before);
  const option: Option | undefined = found === undefined ? undefined : options[found];
  if (option?.choices !== undefined) return startingWith(option.choices, current);
  // A file, a name or a number: left to the shell.
  if (option !== undefined && option.kind !== 'switch') return [];
  const flags = optionNames
    .filter((name) => (options[name].commands as readonly CommandName[]).includes(command))
    .map((name) => `--${flagOf(name)}`);
  const names = words.length === 0 ? commands : [];
  return startingWith([...names, ...flags, '--help'], current);
}

function startingWith(words: readonly string[], start: string): string[] {
  return words.filter((word) => word.startsWith(start));
}
