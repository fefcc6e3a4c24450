/** Errors of filters, with the codes and messages of MongoDB. */

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
export const QueryErrorCode = {
  badValue: 2,
  failedToParse: 9,
  typeMismatch: 14,
  notImplemented: 238,
} as const;

export class QueryError extends Error {
  readonly code: number;
  /** The field of the filter; null if it is not about a field. */
  path: string | null = null;

  constructor(code: number, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** mongod supports it and the matcher does not. */
export class UnsupportedError extends QueryError {
  /** Such as `the operator $near`. */
  readonly what: string;

  constructor(what: string) {
    super(QueryErrorCode.notImplemented, `${what} is not supported`);
    this.what = what;
  }
}

/** Adds the field to an error of `parse`. */
export function atPath<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof QueryError) error.path ??= path;
    throw error;
  }
}
