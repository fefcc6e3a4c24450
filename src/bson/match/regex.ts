/** Regular expressions in filters: MongoDB's options, and its syntax as far as `pcre.ts` translates it. */
import { BsonType, readString } from './bson-view.ts';
import type { RawField, RawValue } from './bson-view.ts';
import { uncovered } from './condition.ts';
import type { Condition } from './condition.ts';
import { QueryError, QueryErrorCode } from './errors.ts';
import { translateRegex } from './pcre.ts';

/** A regular expression, or, for a stored regular expression, the same one. */
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
      if (value.type === BsonType.string || value.type === BsonType.symbol) {
        return regex.test(readString(value));
      }
      if (value.type === BsonType.regex) {
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

/** The operator `$regex`, with the `$options` beside it. */
export function readRegexOperator(field: RawField, siblings: readonly RawField[]): Regex {
  const options = siblings.find((sibling) => sibling.name === '$options');
  if (options !== undefined && options.type !== BsonType.string) {
    throw new QueryError(QueryErrorCode.badValue, '$options has to be a string');
  }
  const flags = options === undefined ? undefined : readString(options);
  if (field.type === BsonType.regex) {
    const regex = readRegex(field);
    if (flags !== undefined && regex.flags !== '') {
      throw new QueryError(51075, 'options set in both $regex and $options');
    }
    return { pattern: regex.pattern, flags: flags ?? regex.flags };
  }
  if (field.type !== BsonType.string) {
    throw new QueryError(QueryErrorCode.badValue, '$regex has to be a string');
  }
  return { pattern: readString(field), flags: flags ?? '' };
}
