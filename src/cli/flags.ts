/** Normalizes a command line before it is parsed: each known flag once, as `--name=value`. */

import { UsageError } from '../common/errors.ts';
import { isSwitchValue, readSwitch } from '../config/option-value.ts';
import { flagOf, optionNames, options, type OptionName } from '../config/options.ts';

interface Flag {
  /** `mongo-url` */
  readonly name: string;
  readonly isSwitch: boolean;
}

/** By each spelling: yargs accepts `--mongoUrl` for `--mongo-url` as well. */
const flags: ReadonlyMap<string, Flag> = new Map(
  optionNames.flatMap((option) => {
    const flag = { name: flagOf(option), isSwitch: options[option].kind === 'switch' };
    const camelCase = flag.name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    return [
      [flag.name, flag],
      [camelCase, flag],
    ] as const;
  }),
);

/**
 * yargs reads `--dry-run=1` and `--dry-run=yes` as false, and keeps the last of a flag that is given twice. Here an on/off
 * flag takes the same values as its variable, and a flag with two different values is an error.
 * @throws UsageError
 */
export function normalizeFlags(args: readonly string[]): string[] {
  const normalized: string[] = [];
  const seen = new Map<string, string>();
  const add = ({ name, isSwitch }: Flag, value: string): void => {
    const meant = isSwitch ? readSwitch({ value, label: `--${name}` }) : value;
    const before = seen.get(name);
    if (before === undefined) {
      normalized.push(`--${name}=${meant}`);
    } else if (before !== meant) {
      // Without the values: one may hold a password.
      throw new UsageError(`--${name} is given twice, with different values`, {
        code: 'OPTION_TWICE',
        fix: 'give it once.',
      });
    }
    seen.set(name, meant);
  };
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? '';
    // No flags follow.
    if (argument === '--') return [...normalized, ...args.slice(index)];
    const [, no = '', name = '', value] = /^--(no-)?([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const flag = flags.get(name);
    const next = args[index + 1];
    if (flag === undefined || (no !== '' && (!flag.isSwitch || value !== undefined))) {
      normalized.push(argument);
    } else if (no !== '') {
      add(flag, 'false');
    } else if (value !== undefined) {
      add(flag, value);
    } else if (next !== undefined && (flag.isSwitch ? isSwitchValue(next) : isValue(next))) {
      add(flag, next);
      index++;
    } else if (flag.isSwitch) {
      add(flag, 'true');
    } else {
      // yargs reports that the value is missing.
      normalized.push(argument);
    }
  }
  return normalized;
}

/** The options that the words after a command set. */
const wordsOf: Readonly<Partial<Record<string, readonly OptionName[]>>> = { promote: ['table', 'field'] };

/** Turns the words after a command into flags: `promote users age` is `promote --table=users --field=age`. */
export function flagsOfWords(normalized: readonly string[]): readonly string[] {
  const isWord = (argument: string): boolean => !argument.startsWith('-');
  const names = [...(wordsOf[normalized.find(isWord) ?? ''] ?? [])].filter(
    (name) => !normalized.some((argument) => argument.startsWith(`--${flagOf(name)}=`)),
  );
  if (names.length === 0) return normalized;
  let isCommand = true;
  return normalized.map((argument) => {
    if (!isWord(argument)) return argument;
    const name = isCommand ? undefined : names.shift();
    isCommand = false;
    return name === undefined ? argument : `--${flagOf(name)}=${argument}`;
  });
}

/** Another flag is not a value. A negative number is one: it is refused later, with the range that is allowed. */
function isValue(argument: string): boolean {
  return !argument.startsWith('-') || /^-\d/.test(argument);
}
