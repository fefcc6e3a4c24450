/**
 * The kinds of settings: for each, how its text is read, and what one is that is not set. The type of a setting in
 * `Config` follows from here.
 */

import { resolve } from 'node:path';
import { parseFilter } from '../bson/filter.ts';
import { UsageError } from '../common/errors.ts';
import { findSchemaMistake } from '../common/identifiers.ts';
import { holdsUrl } from '../common/redact.ts';
import { readSwitch, refuse, type Given } from './option-value.ts';
import { SecretUrl } from './secret-url.ts';
import { checkMongoUrl, checkPostgresUrl, embedded } from './server-urls.ts';

/** What an option of the table says of its own values. */
export interface Rules {
  readonly choices?: readonly string[];
  /** Whole numbers only, both ends included. */
  readonly range?: readonly [min: number, max: number];
}

/** `parse` gets a text that is not empty, and throws a UsageError that says what is allowed. */
export const kinds = {
  text: { parse: parseText, unset: '' },
  /** A name that a schema in Postgres can have. */
  schema: { parse: parseSchema, unset: '' },
  /** Of a file or a folder; it becomes absolute. */
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
  count: { parse: parseCount, unset: undefined },
  /** `1%` becomes 0.01. */
  share: { parse: parseShare, unset: undefined },
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
  // 10_000 reads well in a shell and is not ambiguous.
  const digits = given.value.replaceAll('_', '');
  const count = Number(digits);
  const isInRange = /^[0-9]+$/.test(digits) && count >= min && count <= max;
  return isInRange ? count : refuse(given, `a whole number from ${min} to ${max}`);
}

function parseShare(given: Given): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(given.value);
  const share = Number(match?.[1]) / 100;
  return share > 0 && share <= 1 ? share : refuse(given, 'a share above 0% and up to 100%, such as 1%');
}

function parseChoice(given: Given, { choices = [] }: Rules): string {
  return choices.includes(given.value) ? given.value : refuse(given, `one of ${choices.join(', ')}`);
}

/** A name or a path is shown in many places, and the password in it with it. */
function refuseUrl({ value, label }: Given): void {
  if (!holdsUrl(value)) return;
  throw new UsageError(`${label} must not be a URL`, {
    code: 'URL_MISPLACED',
    fix: 'only MONGO_URL and POSTGRES_URL take URLs, and keep the passwords in them to themselves.',
  });
}
