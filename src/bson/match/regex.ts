/** Regular expressions in filters, with MongoDB's options. `pcre.ts` translates their syntax. */
import { type RawField, type RawValue, readString } from '../raw-value.ts';
import { bsonTypes } from '../types.ts';
import { uncovered } from './condition.ts';
import type { Condition } from './condition.ts';
import { QueryError, QueryErrorCode } from './errors.ts';
import { translateRegex } from './pcre.ts';

/** A regular expression. It matches text, and a stored regular expression that is the same. */
export interface Regex {
  readonly pattern: string;
  readonly flags: string;
}

export function matchRegex({ pattern, flags }: Regex): Condition {
  if (/[^imsux]/.test(flags)) {
    throw new QueryError(51108, `invalid flag in regex options: ${flags}`);
  }
  const regex = translateRegex(pattern, flags);
  return {
    ...uncovered,
    matches(value) {
      if (value.type === bsonTypes.string || value.type === bsonTypes.symbol) {
        return regex.test(readString(value));
      }
      if (value.type === bsonTypes.regex) {
        const stored = readRegex(value);
        return stored.pattern === pattern && stored.flags === flags;
      }
      return false;
    },
  };
}

/** A value of the type regex. */
export function readRegex(value: RawValue): Regex {
  const [pattern = '', flags = ''] = value.bytes.toString('utf8', value.start, value.end - 1).split('\0');
  return { pattern, flags };
}

/** The operator `$regex`, with its sibling `$options`. */
export function readRegexOperator(field: RawField, siblings: readonly RawField[]): Regex {
  const options = siblings.find((sibling) => sibling.name === '$options');
  if (options !== undefined && options.type !== bsonTypes.string) {
    throw new QueryError(QueryErrorCode.badValue, '$options has to be a string');
  }
  const flags = options === undefined ? undefined : readString(options);
  if (field.type === bsonTypes.regex) {
    const regex = readRegex(field);
    if (flags !== undefined && regex.flags !== '') {
      throw new QueryError(51075, 'options set in both $regex and $options');
    }
    return { pattern: regex.pattern, flags: flags ?? regex.flags };
  }
  if (field.type !== bsonTypes.string) {
    throw new QueryError(QueryErrorCode.badValue, '$regex has to be a string');
  }
  return { pattern: readString(field), flags: flags ?? '' };
}
