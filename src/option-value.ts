/** The value of an option, checked by the rules of its kind. */

import { UsageError } from './errors.ts';
import type { CommandName, Option } from './options.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value with the name under which the user gave it; the label is empty for a default. */
export interface Given {
  readonly value: string;
  readonly label: string;
}

/** What the environment says of an option; its default where it says nothing, or the command has no such option. */
export function readVariable(command: CommandName, option: Option, env: Environment): Given {
  const fromEnv = env[option.env];
  // An empty variable counts as not set, so that `.env` may list what it does not use.
  const isUsed = option.commands.includes(command) && fromEnv !== undefined && fromEnv !== '';
  return isUsed ? checkOption(option, fromEnv, option.env) : { value: option.default, label: '' };
}

/** @param label what the user calls the option @throws UsageError that says what is allowed */
export function checkOption(option: Option, raw: string, label: string): Given {
  const value = raw.trim();
  // A URL may hold a password and is never shown, not even when it is wrong.
  const shown = option.kind === 'url' ? 'the value given' : `"${value}"`;
  const refuse = (allowed: string): never => {
    throw new UsageError(`${label} must be ${allowed}, not ${shown}`, { code: 'OPTION_INVALID' });
  };
  if (value === '') refuse('not empty');
  switch (option.kind) {
    case 'text':
      if (value.includes('\0')) refuse('without NUL bytes');
      return { value, label };
    case 'url':
      return { value, label };
    case 'count': {
      const [min, max] = option.range ?? [0, Number.MAX_SAFE_INTEGER];
      // 10_000 reads well in a shell and is not ambiguous.
      const digits = value.replaceAll('_', '');
      const isWhole = /^[0-9]+$/.test(digits) && Number(digits) >= min && Number(digits) <= max;
      if (!isWhole) refuse(`a whole number from ${min} to ${max}`);
      return { value: digits, label };
    }
    case 'share': {
      const match = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(value);
      const share = Number(match?.[1]) / 100;
      if (!(share > 0 && share <= 1)) refuse('a share above 0% and up to 100%, such as 1%');
      return { value: String(share), label };
    }
    case 'choice':
      if (!option.choices?.includes(value)) refuse(`one of ${option.choices?.join(', ') ?? ''}`);
      return { value, label };
    case 'switch': {
      const isOn = /^(true|1|yes|on)$/i.test(value);
      if (!isOn && !/^(false|0|no|off)$/i.test(value)) refuse('true or false');
      return { value: String(isOn), label };
    }
  }
}
