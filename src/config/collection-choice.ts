/** Chooses the collections of a database to copy, by names and patterns; the largest first. */

import { SourceError } from '../common/errors.ts';

export interface CollectionInfo {
  readonly name: string;
  /** As `listCollections` returns it. */
  readonly type: string;
  /** The size of the documents, uncompressed; 0 if the server does not report it. */
  readonly bytes: number;
}

export interface CollectionChoice {
  readonly chosen: readonly CollectionInfo[];
  /** The collections that match and cannot be copied, with the reason. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Whether MONGO_COLLECTION can name several collections: `users,courses`, `*`, `log_*`; but not `users`. */
export function namesSeveral(wanted: string): boolean {
  return /[,*]/.test(wanted);
}

/** The selection as one text. A start with the same selection resumes the last job. */
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
 * @param excluded likewise; takes precedence over `wanted`
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
  const skipped = candidates.flatMap((info) => {
    const reason = findObstacle(info);
    return reason === null ? [] : [{ name: info.name, reason }];
  });
  const chosen = candidates
    .filter((info) => findObstacle(info) === null)
    // The largest first, so that the run does not end with all workers waiting for it.
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  if (chosen.length > 0) return { chosen, skipped };
  const reasons = skipped.map(({ name, reason }) => `${name} (${reason})`).join(', ');
  throw new SourceError(`no collection can be copied by MONGO_COLLECTION=${wanted}`, {
    code: 'NO_COLLECTION_CHOSEN',
    fix:
      skipped.length > 0
        ? `it names only ${reasons}.`
        : `correct it or EXCLUDE_COLLECTIONS; there are: ${[...names].sort().join(', ')}.`,
  });
}

/** Whether names and patterns choose a collection of this name. */
export function isChosen(name: string, wanted: string, excluded: string): boolean {
  return matcherOf(splitPatterns(wanted))(name) && !matcherOf(splitPatterns(excluded))(name);
}

/** Whether to discard what an earlier start has copied of a collection. */
export function isFromScratch(
  name: string,
  { restart: isRestart, restartOnly }: { readonly restart: boolean; readonly restartOnly: string },
): boolean {
  return isRestart || isChosen(name, restartOnly, '');
}

/** @returns the names and patterns of `wanted` that match none of `names` */
export function listUnmatched(wanted: string, names: readonly string[]): string[] {
  return splitPatterns(wanted).filter((pattern) => !names.some((name) => expressionOf(pattern).test(name)));
}

/** Null for a collection that can be copied. */
export function findObstacle({ name, type }: Pick<CollectionInfo, 'name' | 'type'>): string | null {
  // A dump's file can have %00 in its name; no server has such a collection.
  if (name.includes('\0')) return 'a collection whose name has U+0000, which no name in PostgreSQL can have';
  if (name.startsWith('system.')) return 'a system collection of MongoDB';
  if (type === 'view') return 'a view: it has no documents of its own; write it to a collection with $out';
  if (type === 'timeseries') {
    return 'a time-series collection: it has no index on _id to read by; write it to a collection with $out';
  }
  return null;
}

/** Names as strings, and patterns as regular expressions. */
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
