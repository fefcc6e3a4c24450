/**
 * The kinds of settings. Each has the function that parses its text, and the value of a setting that is not set. The type
 * of a setting in `Config` follows from its kind.
 */

import { resolve } from 'node:path';
import { parseFilter } from '../bson/filter.ts';
import { UsageError } from '../common/errors.ts';
import { findSchemaMistake } from '../common/identifiers.ts';
import { readRate, type Rate } from '../common/rate.ts';
import { holdsUrl } from '../common/redact.ts';
import { readSwitch, refuse, type Given } from './option-value.ts';
import { SecretUrl } from './secret-url.ts';
import { checkMongoUrl, checkPostgresUrl, checkServerUrl, embedded } from './server-urls.ts';

/** The limits that an option sets for its values. */
export interface Rules {
  readonly choices?: readonly string[];
  /** Both ends included. For a share: in percent. */
  readonly range?: readonly [min: number, max: number];
}

/** `parse` gets a text that is not empty, and throws a UsageError that says what is allowed. */
export const kinds = {
  text: { parse: parseText, unset: '' },
  /** A valid name for a schema in Postgres. */
  schema: { parse: parseSchema, unset: '' },
  /** The path of a file or a folder; it becomes absolute. */
  path: { parse: parsePath, unset: undefined },
  /** A MongoDB filter, as raw BSON. */
  filter: { parse: ({ value, label }: Given): Uint8Array => parseFilter(value, label), unset: undefined },
  'mongo-url': {
    parse: (given: Given) => new SecretUrl(checkMongoUrl(given)),
    unset: new SecretUrl(embedded),
  },
  'postgres-url': {
    parse: (given: Given) => new SecretUrl(checkPostgresUrl(given)),
    unset: new SecretUrl(embedded),
  },
  /** The same for a server that is not needed. */
  'other-postgres-url': {
    parse: (given: Given) => new SecretUrl(checkServerUrl(given)),
    unset: undefined,
  },
  count: { parse: parseCount, unset: undefined },
  /** A number, or `auto`: decided while the command runs. */
  size: { parse: parseSize, unset: undefined },
  /** `1%` becomes 0.01. */
  share: { parse: parseShare, unset: undefined },
  /** `5000` documents or `20MB` a second; null for no limit. */
  rate: { parse: parseRate, unset: undefined },
  choice: { parse: parseChoice, unset: undefined },
  /** On or off. */
  switch: { parse: (given: Given): boolean => readSwitch(given) === 'true', unset: false },
} as const satisfies Record<string, { parse: (given: Given, rules: Rules) => unknown; unset: unknown }>;

export type Kind = keyof typeof kinds;

function parseText(given: Given): string {
  if (given.value.includes('\0')) refuse(given, 'without NUL bytes');
  refuseUrl(given);
  return given.value;
}

function parsePath(given: Given): string {
  return resolve(parseText(given));
}

function parseSchema(given: Given): string {
  const { label } = given;
  const name = parseText(given);
  const mistake = findSchemaMistake(name);
  if (mistake === null) return name;
  throw new UsageError(`${label}: ${mistake}`, { code: 'NAME_INVALID', fix: 'choose another name.' });
}

function parseCount(given: Given, { range: [min, max] = [0, Number.MAX_SAFE_INTEGER] }: Rules): number {
  return readCount(given.value, min, max) ?? refuse(given, `a whole number from ${min} to ${max}`);
}

function readCount(text: string, min: number, max: number): number | undefined {
  // 10_000 is allowed: it is easier to read.
  const digits = text.replaceAll('_', '');
  const count = Number(digits);
  return /^[0-9]+$/.test(digits) && count >= min && count <= max ? count : undefined;
}

function parseSize(given: Given, rules: Rules): number | 'auto' {
  if (given.value === 'auto') return 'auto';
  const [min, max] = rules.range ?? [0, Number.MAX_SAFE_INTEGER];
  return readCount(given.value, min, max) ?? refuse(given, `auto or a whole number from ${min} to ${max}`);
}

function parseShare(given: Given, { range }: Rules): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(given.value);
  const share = Number(match?.[1]) / 100;
  if (share > 0 && share <= 1) return share;
  if (range?.[0] !== 0) return refuse(given, 'a share above 0% and up to 100%, such as 1%');
  return share === 0 ? share : refuse(given, 'a share from 0% to 100%, such as 1%');
}

function parseRate(given: Given): Rate | null {
  const rate = readRate(given.value);
  if (rate !== undefined) return rate;
  return refuse(given, 'documents a second, such as 5000, megabytes a second, such as 20MB, or none');
}

function parseChoice(given: Given, { choices = [] }: Rules): string {
  return choices.includes(given.value) ? given.value : refuse(given, `one of ${choices.join(', ')}`);
}

/** Names and paths are printed in many places. A URL given by mistake would show its password there. */
function refuseUrl({ value, label }: Given): void {
  if (!holdsUrl(value)) return;
  throw new UsageError(`${label} must not be a URL`, {
    code: 'URL_MISPLACED',
    fix: 'only MONGO_URL, POSTGRES_URL and CITUS_NODE_URL take URLs: the passwords in them are never printed.',
  });
}
