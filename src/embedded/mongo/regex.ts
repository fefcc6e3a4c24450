/** Regular expressions in filters: MongoDB's syntax and options, as far as JavaScript has them too. */
import { BsonType, readString } from './bson-view.ts';
import type { RawField, RawValue } from './bson-view.ts';
import { uncovered } from './condition.ts';
import type { Condition } from './condition.ts';
import { CommandError, ErrorCode, notImplemented } from './errors.ts';

/** A regular expression, or, for a stored regular expression, the same one. */
export interface Regex {
  readonly pattern: string;
  readonly flags: string;
}

export function matchRegex({ pattern, flags }: Regex): Condition {
  let regex: RegExp;
  if (/[^imsu]/.test(flags)) {
    if (/[^imsux]/.test(flags)) {
      throw new CommandError(51108, `invalid flag in regex options: ${flags}`);
    }
    throw notImplemented(`the option x of $regex`);
  }
  try {
    regex = new RegExp(pattern, flags);
  } catch (error) {
    throw new CommandError(51091, `Regular expression is invalid: ${(error as SyntaxError).message}`);
  }
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
    throw new CommandError(ErrorCode.badValue, '$options has to be a string');
  }
  const flags = options === undefined ? undefined : readString(options);
  if (field.type === BsonType.regex) {
    const regex = readRegex(field);
    if (flags !== undefined && regex.flags !== '') {
      throw new CommandError(51075, 'options set in both $regex and $options');
    }
    return { pattern: regex.pattern, flags: flags ?? regex.flags };
  }
  if (field.type !== BsonType.string) {
    throw new CommandError(ErrorCode.badValue, '$regex has to be a string');
  }
  return { pattern: readString(field), flags: flags ?? '' };
}
