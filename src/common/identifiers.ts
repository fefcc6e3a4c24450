/** Makes unique, valid Postgres names for fields and collections. */

import { createHash } from 'node:crypto';
import { holdsUrl } from './redact.ts';

/** Postgres truncates longer identifiers silently, so two that are equal up to there would collide. */
const maxIdentifierBytes = 63;

/** The most columns that a table in Postgres can have. https://www.postgresql.org/docs/current/limits.html */
export const maxColumns = 1600;

/** The most columns of a key: INDEX_MAX_KEYS of a usual build. https://www.postgresql.org/docs/current/limits.html */
export const maxKeyColumns = 32;

/** Every table has these already. https://www.postgresql.org/docs/current/ddl-system-columns.html */
const systemColumns = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];

export function isSystemColumn(name: string): boolean {
  return systemColumns.includes(name);
}

/** Column names in the order of the fields. A field keeps its name if it is a valid name in Postgres. */
export function nameColumns(fields: readonly string[]): string[] {
  const taken = new Set(systemColumns);
  // Reserved first: the changed name of another field must not take the name of a field that keeps it.
  for (const field of fields) if (fitsIdentifier(field)) taken.add(field);
  return fields.map((field) => {
    if (fitsIdentifier(field) && !isSystemColumn(field)) return field;
    return uniqueName(field, taken);
  });
}

/**
 * Column names for paths: the names of a path, joined by `_`. A top-level field has priority for its own name.
 * @param reserved names of other columns of the table
 */
export function namePaths(paths: readonly (readonly string[])[], reserved: readonly string[]): string[] {
  const taken = new Set([...systemColumns, ...reserved]);
  const own = paths.map((path) => {
    const [name = ''] = path;
    if (path.length > 1 || !fitsIdentifier(name) || taken.has(name)) return null;
    taken.add(name);
    return name;
  });
  return paths.map((path, index) => own[index] ?? uniqueName(path.join('_'), taken));
}

/** `name`, or a variant with a hash if it is taken. Adds the result to `taken`. */
export function uniqueName(name: string, taken: Set<string>): string {
  let unique = toIdentifier(name);
  for (let attempt = 0; taken.has(unique); attempt++) unique = withHash(name, String(attempt));
  taken.add(unique);
  return unique;
}

/** Why a name that a user gave is not valid in Postgres; null if it is valid. */
export function findNameMistake(name: string): string | null {
  if (name === '') return 'a name in Postgres is not empty';
  if (name.includes('\0')) return 'a name in Postgres has no U+0000';
  if (holdsUrl(name)) return 'a URL is no name';
  const length = Buffer.byteLength(name);
  if (length <= maxIdentifierBytes) return null;
  return `${JSON.stringify(name)} has ${length} bytes; Postgres keeps ${maxIdentifierBytes}`;
}

/** Likewise for a schema, which is created if it is missing. */
export function findSchemaMistake(name: string): string | null {
  if (name.startsWith('pg_') || name === 'information_schema') return `${name} belongs to PostgreSQL itself`;
  if (name === 'mongo2pg') return `${name} belongs to the ledger`;
  return findNameMistake(name);
}

/** `name` itself, or if it is too long, its beginning and a hash of the whole. */
export function toIdentifier(name: string): string {
  if (fitsIdentifier(name)) return name;
  // Postgres has no empty identifier.
  return name === '' ? '_' : withHash(name, '');
}

function fitsIdentifier(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= maxIdentifierBytes;
}

function withHash(name: string, salt: string): string {
  const hash = createHash('sha256').update(`${salt}\0${name}`).digest('hex').slice(0, 8);
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept) + Buffer.byteLength(character) > maxIdentifierBytes - 9) break;
    kept += character;
  }
  return `${kept}_${hash}`;
}
