/** What the name of a file in a dump tells. */

import { basename } from 'node:path';
import { namesSeveral } from './collection-choice.ts';

/** Longer names of collections are cut by mongodump, which puts a hash at their end. */
const longestName = 238;

const suffix = /\.(bson|json|jsonl|ndjson)(\.gz)?$/;

export interface DumpFileName {
  readonly collection: string;
  /** The name is cut: the metadata beside the file tell it whole. */
  readonly isCut: boolean;
  readonly format: 'bson' | 'json';
  readonly isGzip: boolean;
}

/** Null where the name is not one of a collection's documents. */
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

/** What a dump is copied as when nobody names a collection: the one of a file, and all of a folder or an archive. */
export function collectionOfDump(path: string): string {
  const told = readFileName(path);
  // A name that would be read as a pattern, or is cut, is found again as all that the file has.
  return told === null || told.isCut || namesSeveral(told.collection) ? '*' : told.collection;
}

/** mongodump escapes as in a URL. A `%` that begins no escape is meant as it stands. */
export function unescapeName(stem: string): string {
  try {
    return decodeURIComponent(stem);
  } catch {
    return stem;
  }
}
