/** The value of an option, checked by the rules of its kind. */

import { UsageError } from '../common/errors.ts';
import type { CommandName, Option } from './options.ts';
import { findSchemaMistake } from '../common/identifiers.ts';
import { holdsUrl } from '../common/redact.ts';

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
  const given = { value, label };
  if (value === '') refuse(given, 'not empty');
  switch (option.kind) {
    case 'text':
    case 'schema':
      if (value.includes('\0')) refuse(given, 'without NUL bytes');
      refuseUrl(given);
      if (option.kind === 'schema') refuseSchema(given);
      return given;
    case 'json':
    case 'url':
      return given;
    case 'count': {
      const [min, max] = option.range ?? [0, Number.MAX_SAFE_INTEGER];
      // 10_000 reads well in a shell and is not ambiguous.
      const digits = value.replaceAll('_', '');
      const isWhole = /^[0-9]+$/.test(digits) && Number(digits) >= min && Number(digits) <= max;
      if (!isWhole) refuse(given, `a whole number from ${min} to ${max}`);
      return { value: digits, label };
    }
    case 'share': {
      const match = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(value);
      const share = Number(match?.[1]) / 100;
      if (!(share > 0 && share <= 1)) refuse(given, 'a share above 0% and up to 100%, such as 1%');
      return { value: String(share), label };
    }
    case 'choice':
      if (!option.choices?.includes(value)) refuse(given, `one of ${option.choices?.join(', ') ?? ''}`);
      return given;
    case 'switch':
      return { value: readSwitch(given), label };
  }
}

export function isOn(text: string): boolean {
  return /^(true|1|yes|on)$/i.test(text);
}

export function isSwitchValue(text: string): boolean {
  return isOn(text) || /^(false|0|no|off)$/i.test(text);
}

/** One rule for flags, environment and `.env`. @throws UsageError */
export function readSwitch(given: Given): 'true' | 'false' {
  const value = given.value.trim();
  if (!isSwitchValue(value)) refuse(given, 'true or false (or 1, 0, yes, no, on, off)');
  return isOn(value) ? 'true' : 'false';
}

function refuse({ value, label }: Given, allowed: string): never {
  // A URL may hold a password, wherever it was put by mistake.
  const shown = holdsUrl(value) || value.length > maxShown ? 'the value given' : JSON.stringify(value);
  throw new UsageError(`${label} must be ${allowed}, not ${shown}`, { code: 'OPTION_INVALID' });
}

const maxShown = 200;

/** A name or a path is shown in many places, and the password in it with it. */
function refuseUrl({ value, label }: Given): void {
  if (!holdsUrl(value)) return;
  throw new UsageError(`${label} must not be a URL`, {
    code: 'URL_MISPLACED',
    fix: 'only MONGO_URL and POSTGRES_URL take URLs, and keep the passwords in them to themselves.',
  });
}

function refuseSchema({ value, label }: Given): void {
  const mistake = findSchemaMistake(value);
  if (mistake === null) return;
  throw new UsageError(`${label}: ${mistake}`, { code: 'NAME_INVALID', fix: 'choose another name.' });
}
