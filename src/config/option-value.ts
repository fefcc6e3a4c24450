/** The text of a setting as the user gave it, and the error for one that is not allowed. */

import { UsageError } from '../common/errors.ts';
import { holdsUrl } from '../common/redact.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `label` is the name by which the user gave it, such as `--filter` or FILTER; it is empty for a default. */
export interface Given {
  readonly value: string;
  readonly label: string;
}

/** @throws UsageError if it is empty */
export function readText(raw: string, label: string): Given {
  const given = { value: raw.trim(), label };
  return given.value === '' ? refuse(given, 'not empty') : given;
}

export function isOn(text: string): boolean {
  return /^(true|1|yes|on)$/i.test(text);
}

export function isSwitchValue(text: string): boolean {
  return isOn(text) || /^(false|0|no|off)$/i.test(text);
}

/** The same rule for flags, environment and `.env`. @throws UsageError */
export function readSwitch(given: Given): 'true' | 'false' {
  const value = given.value.trim();
  if (!isSwitchValue(value)) refuse(given, 'true or false (or 1, 0, yes, no, on, off)');
  return isOn(value) ? 'true' : 'false';
}

/** @throws UsageError */
export function refuse({ value, label }: Given, allowed: string): never {
  // A URL given by mistake may contain a password.
  const shown = holdsUrl(value) || value.length > maxShown ? 'the value given' : JSON.stringify(value);
  throw new UsageError(`${label} must be ${allowed}, not ${shown}`, { code: 'OPTION_INVALID' });
}

const maxShown = 200;
