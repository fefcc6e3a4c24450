/** Applies a filter to documents of a dump, with the same result as a query on a server. */

import { validateDocument } from '../raw-value.ts';
import { BsonError } from '../types.ts';
import { UsageError } from '../../common/errors.ts';
import { QueryError } from './errors.ts';
import { matchesDocument, parseFilter, type Filter } from './filter.ts';

/**
 * Whether to read a document. True for a corrupt one as well: it becomes a dead letter, because it is unknown whether it
 * matches.
 */
export type DocumentFilter = (document: Buffer) => boolean;

/**
 * @param filter a BSON document
 * @param label the name by which the user gave it, for the message
 * @throws UsageError that names what is not supported, and where it is in the filter
 */
export function compileFilter(filter: Uint8Array, label: string): DocumentFilter {
  const parsed = parse(filter, label);
  return (document) => {
    const { byteOffset: start, byteLength } = document;
    const memory = memoryOf(document);
    // A matching document need not be validated, because a corrupt one is read as well.
    return matchesIfWhole(parsed, memory, start) || !isWhole(memory, start, start + byteLength);
  };
}

/** The result for a corrupt document is arbitrary. */
function matchesIfWhole(filter: Filter, memory: Buffer, start: number): boolean {
  try {
    return matchesDocument(filter, memory, start);
  } catch (error) {
    if (error instanceof BsonError) return false;
    throw error;
  }
}

let lastMemory: Buffer = Buffer.alloc(0);

/** The whole buffer around a document, so that all documents in it share one view. */
function memoryOf({ buffer }: Buffer): Buffer {
  if (buffer !== lastMemory.buffer) lastMemory = Buffer.from(buffer);
  return lastMemory;
}

function parse(filter: Uint8Array, label: string): Filter {
  try {
    return parseFilter(Buffer.from(filter), 0);
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const place = error.path === null ? '' : `, at ${JSON.stringify(error.path)}`;
    throw new UsageError(`${label} cannot be applied to a dump: ${error.message}${place}`, {
      code: 'FILTER_NOT_FOR_DUMPS',
      fix: 'docs/dumps.md lists the operators that can; or restore the dump and copy from a server.',
      cause: error,
    });
  }
}

function isWhole(memory: Buffer, start: number, end: number): boolean {
  try {
    return validateDocument(memory, start, end) === end;
  } catch (error) {
    if (error instanceof BsonError) return false;
    throw error;
  }
}
