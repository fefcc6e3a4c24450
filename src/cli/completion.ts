/** What a shell offers for the word at the cursor: commands, the options of the command at hand, and their choices. */

import { flagOf, optionNames, options, type CommandName, type Option } from '../config/options.ts';

const commands: readonly CommandName[] = ['plan', 'verify', 'status', 'seed', 'retry', 'servers'];

/** How the printed script asks: this, the name of the tool, and the words up to the cursor, that at it the last. */
export const completionFlag = '--get-yargs-completions';

/** @param words what stands before the cursor, the command's name not counted */
export function complete(words: readonly string[], current: string): string[] {
  const command = commands.find((name) => name === words[0]) ?? 'start';
  const before = words.at(-1) ?? '';
  const found = optionNames.find((name) => `--${flagOf(name)}` === before);
  const option: Option | undefined = found === undefined ? undefined : options[found];
  if (option?.choices !== undefined) return startingWith(option.choices, current);
  // A file, a name or a number: the shell knows better.
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
