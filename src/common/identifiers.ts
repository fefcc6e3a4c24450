/** Gives fields and collections names that Postgres can have, each different from the others. */

import { createHash } from 'node:crypto';
import { holdsUrl } from './redact.ts';

/** Postgres cuts a longer identifier by itself, and two that are equal up to there would collide. */
export const maxIdentifierBytes = 63;

/** Of a table in Postgres. https://www.postgresql.org/docs/current/limits.html */
export const maxColumns = 1600;

/** Every table has these already. https://www.postgresql.org/docs/current/ddl-system-columns.html */
const systemColumns = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];

export function isSystemColumn(name: string): boolean {
  return systemColumns.includes(name);
}

/** Column names in the order of the fields: a field's own name wherever Postgres can have it. */
export function nameColumns(fields: readonly string[]): string[] {
  const taken = new Set(systemColumns);
  // A field that can keep its name keeps it, whatever other fields turn into.
  for (const field of fields) if (fitsIdentifier(field)) taken.add(field);
  return fields.map((field) => {
    if (fitsIdentifier(field) && !isSystemColumn(field)) return field;
    return uniqueName(field, taken);
  });
}

/** `name`, or the like of it when it is taken. */
export function uniqueName(name: string, taken: Set<string>): string {
  let unique = toIdentifier(name);
  for (let attempt = 0; taken.has(unique); attempt++) unique = withHash(name, String(attempt));
  taken.add(unique);
  return unique;
}

/** Why a name that a person gave cannot be one in Postgres; null where it can. */
export function findNameMistake(name: string): string | null {
  if (name === '') return 'a name in Postgres is not empty';
  if (name.includes('\0')) return 'a name in Postgres has no U+0000';
  if (holdsUrl(name)) return 'a URL is no name';
  const length = Buffer.byteLength(name);
  if (length <= maxIdentifierBytes) return null;
  return `${JSON.stringify(name)} has ${length} bytes; Postgres keeps ${maxIdentifierBytes}`;
}

/** Likewise of a schema, which is made where it is missing. */
export function findSchemaMistake(name: string): string | null {
  if (name.startsWith('pg_') || name === 'information_schema') return `${name} belongs to PostgreSQL itself`;
  if (name === 'mongo2pg') return `${name} belongs to the ledger`;
  return findNameMistake(name);
}

/** `name` itself, or cut and given a hash of the whole when it is too long. */
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
