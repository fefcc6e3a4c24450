/** Reads collection and format from the name of a file in a dump. */

import { basename } from 'node:path';
import { namesSeveral } from './collection-choice.ts';

/** mongodump truncates longer names of collections, and puts a hash at their end. */
const longestName = 238;

const suffix = /\.(bson|json|jsonl|ndjson)(\.gz)?$/;

export interface DumpFileName {
  readonly collection: string;
  /** The name is truncated; the metadata beside the file have the whole name. */
  readonly isCut: boolean;
  readonly format: 'bson' | 'json';
  readonly isGzip: boolean;
}

/** Null if the file is not one with a collection's documents. */
export function readFileName(path: string): DumpFileName | null {
  const name = basename(path);
  const match = suffix.exec(name);
  if (match === null || /\.metadata\.json(\.gz)?$/.test(name) || /^prelude\.json(\.gz)?$/.test(name)) {
    return null;
  }
  const stem = name.slice(0, match.index);
  if (stem === '') return null;
  return {
    collection: unescapeName(stem),
    isCut: stem.length === longestName,
    format: match[1] === 'bson' ? 'bson' : 'json',
    isGzip: match[2] !== undefined,
  };
}

/** The default for MONGO_COLLECTION: the collection of a file, or all collections of a folder or an archive. */
export function collectionOfDump(path: string): string {
  const file = readFileName(path);
  // A truncated name, or one that would be read as a pattern, cannot be given as a name: `*` finds all that the file has.
  return file === null || file.isCut || namesSeveral(file.collection) ? '*' : file.collection;
}

/** mongodump escapes names as in a URL. A `%` that begins no escape is literal. */
export function unescapeName(stem: string): string {
  try {
    return decodeURIComponent(stem);
  } catch {
    return stem;
  }
}
