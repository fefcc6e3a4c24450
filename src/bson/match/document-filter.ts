/** A filter as a test of documents of a dump: what the query of a server would find. */

import { UsageError } from '../../common/errors.ts';
import { checkDocument } from './bson-view.ts';
import { QueryError } from './errors.ts';
import { matchesDocument, parseFilter, type Filter } from './filter.ts';

/**
 * Whether a document is to be read. One that is corrupt is: as a dead letter it is kept, as nobody can tell that the
 * filter would not have found it.
 */
export type DocumentFilter = (document: Buffer) => boolean;

/**
 * @param filter a BSON document
 * @param label what the user calls the filter, for the message
 * @throws UsageError that names what of the filter is not known, and where it stands
 */
export function compileFilter(filter: Uint8Array, label: string): DocumentFilter {
  const parsed = parse(filter, label);
  return (document) => !isWhole(document) || matchesDocument(parsed, document, 0);
}

function parse(filter: Uint8Array, label: string): Filter {
  try {
    return parseFilter(Buffer.from(filter), 0);
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const place = error.path === null ? '' : `, at ${JSON.stringify(error.path)}`;
    throw new UsageError(`${label} cannot be applied to a dump: ${error.message}${place}`, {
      code: 'FILTER_NOT_FOR_DUMPS',
      fix: 'docs/dumps.md has the operators that can; or restore the dump, and read it from a server.',
      cause: error,
    });
  }
}

function isWhole(document: Buffer): boolean {
  try {
    return checkDocument(document, 0, document.byteLength) === document.byteLength;
  } catch (error) {
    if (error instanceof QueryError) return false;
    throw error;
  }
}
