/** The changes of values that a plan can specify for a column. */

import { hash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { BSONSymbol, deserialize, EJSON, serialize } from 'bson';
import { buildDocument, textOf, type BsonValue } from '../../bson/build.ts';
import { ElementCursor } from '../../bson/cursor.ts';
import { bsonTypes } from '../../bson/types.ts';
import type { ValueChange } from '../plan.ts';

/** Changes an existing value; null keeps it. */
export type ChangeValue = (value: BsonValue) => BsonValue | null;

/** The value for a missing field or null. */
export function absentValue(change: ValueChange): BsonValue | null {
  return change.kind === 'default' || change.kind === 'constant' ? readValue(change.value) : null;
}

export function createChange(change: ValueChange): ChangeValue {
  switch (change.kind) {
    case 'default':
    case 'constant': {
      const value = readValue(change.value);
      return () => value;
    }
    case 'lowercase':
      return (found) => {
        const text = found.type === bsonTypes.string ? readText(found) : null;
        return text === null ? null : textOf(text.toLowerCase());
      };
    case 'sha256': {
      const { salt } = change;
      return unlessAbsent((found) => textOf(sha256(salt, describe(found))));
    }
    case 'redact':
      return unlessAbsent(() => textOf(redacted));
    case 'last4':
      return unlessAbsent((found) => textOf(isNested(found) ? redacted : keepLast(describe(found))));
  }
}

const redacted = '***';

function unlessAbsent(change: ChangeValue): ChangeValue {
  return (found) => (isAbsent(found) ? null : change(found));
}

export function isAbsent({ type }: Pick<BsonValue, 'type'>): boolean {
  return type === bsonTypes.null || type === bsonTypes.undefined;
}

function isNested({ type }: BsonValue): boolean {
  return type === bsonTypes.object || type === bsonTypes.array || type === bsonTypes.javascriptWithScope;
}

function sha256(salt: string, text: string): string {
  return hash('sha256', salt + text);
}

/** Nothing is shown of text with four characters or fewer. */
function keepLast(text: string): string {
  const characters = Array.from(text);
  const shown = characters.length > 4 ? characters.slice(-4) : [];
  return '*'.repeat(characters.length - shown.length) + shown.join('');
}

/** A readable text of the value. */
function describe(value: BsonValue): string {
  if (value.type === bsonTypes.string) return readText(value) ?? Buffer.from(value.bytes).toString('hex');
  const { v } = deserialize(buildDocument(['v', value]), { promoteValues: false }) as { v: unknown };
  if (v instanceof Date && !Number.isNaN(v.getTime())) return v.toISOString();
  if (v instanceof BSONSymbol) return v.value;
  const isPlain = value.type === bsonTypes.bool || isNumber(value) || value.type === bsonTypes.objectId;
  return isPlain ? String(v) : EJSON.stringify(v, { relaxed: false });
}

function isNumber({ type }: BsonValue): boolean {
  return ([bsonTypes.int, bsonTypes.long, bsonTypes.double, bsonTypes.decimal] as number[]).includes(type);
}

function readText({ bytes }: BsonValue): string | null {
  const text = bytes.subarray(4, -1);
  return isUtf8(text) ? Buffer.from(text).toString() : null;
}

/** @param text `{v: …}` in Extended JSON */
export function readValue(text: string): BsonValue {
  const document = serialize(EJSON.parse(text, { relaxed: false }) as object);
  const cursor = new ElementCursor();
  cursor.open(
    new DataView(document.buffer, document.byteOffset, document.byteLength),
    0,
    document.byteLength,
  );
  if (!cursor.next(null)) return { type: bsonTypes.null, bytes: Buffer.alloc(0) };
  const { type, valueStart, valueEnd } = cursor;
  return { type, bytes: Buffer.from(document.subarray(valueStart, valueEnd)) };
}
