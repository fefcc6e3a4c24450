/** Chooses which collections of a database are copied: by names and patterns, the largest first. */

import { SourceError } from '../common/errors.ts';

export interface CollectionInfo {
  readonly name: string;
  /** As `listCollections` tells it. */
  readonly type: string;
  /** Of the documents, uncompressed; 0 where the server does not tell. */
  readonly bytes: number;
}

export interface CollectionChoice {
  readonly chosen: readonly CollectionInfo[];
  /** What the patterns name and cannot be copied, with the reason. */
  readonly left: readonly { readonly name: string; readonly reason: string }[];
}

/** `users`, or several: `users,courses`, `*`, `log_*`. */
export function namesSeveral(wanted: string): boolean {
  return /[,*]/.test(wanted);
}

/** The selection of several as one text: a start with the same goes on with the job of the last. */
export function describeSelection({
  mongoCollection: wanted,
  excludeCollections: excluded,
}: {
  readonly mongoCollection: string;
  readonly excludeCollections: string;
}): string {
  return excluded === '' ? wanted : `${wanted} -${excluded}`;
}

/**
 * @param wanted names and patterns, separated by commas; `*` stands for any characters
 * @param excluded likewise; goes before `wanted`
 * @throws SourceError when a name that is no pattern is missing, or nothing is chosen
 */
export function chooseCollections(
  infos: readonly CollectionInfo[],
  wanted: string,
  excluded: string,
): CollectionChoice {
  const patterns = splitPatterns(wanted);
  const names = infos.map(({ name }) => name);
  const missing = patterns.filter((pattern) => !pattern.includes('*') && !names.includes(pattern));
  if (missing.length > 0) {
    throw new SourceError(`MongoDB has no collection ${missing.join(', ')}`, {
      code: 'COLLECTION_MISSING',
      fix: `correct MONGO_COLLECTION; there are: ${[...names].sort().join(', ')}.`,
    });
  }
  const isWanted = matcherOf(patterns);
  const isExcluded = matcherOf(splitPatterns(excluded));
  const candidates = infos.filter(({ name }) => isWanted(name) && !isExcluded(name));
  const left = candidates.flatMap((info) => {
    const reason = whyNot(info);
    return reason === null ? [] : [{ name: info.name, reason }];
  });
  const chosen = candidates
    .filter((info) => whyNot(info) === null)
    // The largest first, so that the run does not end with all workers waiting for it.
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  if (chosen.length > 0) return { chosen, left };
  const reasons = left.map(({ name, reason }) => `${name} (${reason})`).join(', ');
  throw new SourceError(`no collection can be copied by MONGO_COLLECTION=${wanted}`, {
    code: 'NO_COLLECTION_CHOSEN',
    fix:
      left.length > 0
        ? `it names only ${reasons}.`
        : `correct it or EXCLUDE_COLLECTIONS; there are: ${[...names].sort().join(', ')}.`,
  });
}

/** Whether names and patterns choose a collection of this name. */
export function isChosen(name: string, wanted: string, excluded: string): boolean {
  return matcherOf(splitPatterns(wanted))(name) && !matcherOf(splitPatterns(excluded))(name);
}

/** Null for a collection that can be copied. */
export function whyNot({ name, type }: Pick<CollectionInfo, 'name' | 'type'>): string | null {
  // A dump's file can have %00 in its name; no server has such a collection.
  if (name.includes('\0')) return 'one whose name has U+0000, which no name in PostgreSQL can have';
  if (name.startsWith('system.')) return "one of MongoDB's own";
  if (type === 'view') return 'a view: it has no documents of its own; write it to a collection with $out';
  if (type === 'timeseries') {
    return 'a time-series collection: it has no index on _id to read by; write it to a collection with $out';
  }
  return null;
}

/** The names as they are, and a pattern as an expression. */
export function patternsOf(wanted: string): (string | RegExp)[] {
  return splitPatterns(wanted).map((pattern) => (pattern.includes('*') ? expressionOf(pattern) : pattern));
}

function splitPatterns(text: string): string[] {
  return text
    .split(',')
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '');
}

function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map(expressionOf);
  return (name) => expressions.some((expression) => expression.test(name));
}

function expressionOf(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`, 's');
}
