/** Makes a command line unambiguous before it is parsed: each flag of ours once, with its value behind `=`. */

import { UsageError } from '../common/errors.ts';
import { isSwitchValue, readSwitch } from '../config/option-value.ts';
import { flagOf, optionNames, options } from '../config/options.ts';

interface Flag {
  /** `mongo-url` */
  readonly name: string;
  readonly isSwitch: boolean;
}

/** By each way to write it: yargs takes `--mongoUrl` for `--mongo-url` as well. */
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
 * yargs reads `--dry-run=1` and `--dry-run=yes` as false, and of a flag that is given twice it keeps the last. Here an
 * on/off flag has the values that its variable has, and two that differ are refused.
 * @throws UsageError
 */
export function settleFlags(args: readonly string[]): string[] {
  const settled: string[] = [];
  const seen = new Map<string, string>();
  const settle = ({ name, isSwitch }: Flag, value: string): void => {
    const meant = isSwitch ? readSwitch({ value, label: `--${name}` }) : value;
    const before = seen.get(name);
    if (before === undefined) {
      settled.push(`--${name}=${meant}`);
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
    // What follows is no flag.
    if (argument === '--') return [...settled, ...args.slice(index)];
    const [, no = '', name = '', value] = /^--(no-)?([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const flag = flags.get(name);
    const next = args[index + 1];
    if (flag === undefined || (no !== '' && (!flag.isSwitch || value !== undefined))) {
      settled.push(argument);
    } else if (no !== '') {
      settle(flag, 'false');
    } else if (value !== undefined) {
      settle(flag, value);
    } else if (next !== undefined && (flag.isSwitch ? isSwitchValue(next) : isValue(next))) {
      settle(flag, next);
      index++;
    } else if (flag.isSwitch) {
      settle(flag, 'true');
    } else {
      // yargs says that a value is missing.
      settled.push(argument);
    }
  }
  return settled;
}

/** Another flag is none; a negative number is one, and refused with what is allowed. */
function isValue(argument: string): boolean {
  return !argument.startsWith('-') || /^-\d/.test(argument);
}
