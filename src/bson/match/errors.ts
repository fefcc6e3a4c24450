/** What is wrong with a filter, or with the bytes that it is applied to: MongoDB's own codes and wording. */

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
export const QueryErrorCode = {
  badValue: 2,
  failedToParse: 9,
  typeMismatch: 14,
  overflow: 15,
  invalidBson: 22,
  notImplemented: 238,
} as const;

export class QueryError extends Error {
  readonly code: number;
  /** The field of the filter at which it is; null where it is at none. */
  path: string | null = null;

  constructor(code: number, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** What mongod can do and the matcher cannot: said, rather than ignored. */
export class UnsupportedError extends QueryError {
  /** Such as `the operator $near`. */
  readonly what: string;

  constructor(what: string) {
    super(QueryErrorCode.notImplemented, `${what} is not supported`);
    this.what = what;
  }
}

/** Has an error that is thrown in parsing say at which field. */
export function atPath<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof QueryError) error.path ??= path;
    throw error;
  }
}
