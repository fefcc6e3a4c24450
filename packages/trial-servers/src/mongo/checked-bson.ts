/** Checks BSON that a client has sent: what is wrong with it becomes an error of the server. */

import { validateDocument, viewOf } from '../../../../src/bson/raw-value.ts';
import { BsonError, NestingError } from '../../../../src/bson/types.ts';
import { findNul } from '../../../../src/bson/values.ts';
import { CommandError, ErrorCode } from './errors.ts';

/**
 * Checks the document at `start` with all that is in it, which may not reach beyond `limit`; returns its end.
 * @param nesting how many levels of documents and arrays there may be below it
 */
export function checkDocument(bytes: Buffer, start: number, limit: number, nesting?: number): number {
  return translateErrors(() => validateDocument(bytes, start, limit, nesting));
}

/** The offset after the NUL that ends the text at `start`. */
export function skipText(bytes: Buffer, start: number, limit: number): number {
  return translateErrors(() => findNul(viewOf(bytes), start, limit, 'a text') + 1);
}

export function translateBsonError(error: BsonError): CommandError {
  return error instanceof NestingError
    ? new CommandError(ErrorCode.overflow, 'BSON is nested deeper than the server allows')
    : new CommandError(ErrorCode.invalidBson, `invalid BSON at byte ${error.offset}: ${error.problem}`);
}

function translateErrors<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof BsonError ? translateBsonError(error) : error;
  }
}
