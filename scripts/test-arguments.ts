/** The arguments of `npm test -- …`: words that select files, options of this project, and flags of Node's runner. */

import { parseArgs } from 'node:util';
import { clusterImplementations } from '../src/config/options/workers.ts';

export interface TestArguments {
  /** A file is run when its path has one of them. */
  readonly words: readonly string[];
  /** How workers run, in every run of the command that a test starts. */
  readonly pool: string | undefined;
  /** Of every session on the PostgreSQL servers that the tests start. */
  readonly datestyle: string | undefined;
  /** The file to write all tests that ran into; see `test-cases.ts`. */
  readonly cases: string | undefined;
  /** For Node's runner. Each with its value in one word, so that values and files are not confused. */
  readonly flags: readonly string[];
}

const own = ['pool', 'datestyle', 'cases'] as const;

/** Flags of Node that have a value; those that are not here may have theirs behind an equals sign. */
const withValue = [
  'conditions',
  'env-file',
  'experimental-test-isolation',
  'import',
  'require',
  'test-concurrency',
  'test-coverage-exclude',
  'test-coverage-include',
  'test-isolation',
  'test-name-pattern',
  'test-reporter',
  'test-reporter-destination',
  'test-shard',
  'test-skip-pattern',
  'test-timeout',
];

/** @returns or what is wrong with them, in a sentence */
export function readTestArguments(args: readonly string[]): TestArguments | string {
  const names = [...own, ...withValue];
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const, multiple: true }])),
    strict: false,
    tokens: true,
  });
  const words: string[] = [];
  const flags: string[] = [];
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    // It may be a mistyped option.
    if (names.includes(name) && (value === undefined || (!token.inlineValue && value.startsWith('-')))) {
      return `--${name} needs a value`;
    }
    if (own.some((other) => other === name)) given.set(name, value ?? '');
    else flags.push(value === undefined ? rawName : `${rawName}=${value}`);
  }
  const pool = given.get('pool');
  if (pool !== undefined && !clusterImplementations.some((name) => name === pool)) {
    return `--pool must be one of ${clusterImplementations.join(', ')}`;
  }
  return { words, pool, datestyle: given.get('datestyle'), cases: given.get('cases'), flags };
}
