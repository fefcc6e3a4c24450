/** Reads the objects that represent values in Extended JSON of both versions, such as `{"$oid": …}`. */

import { Decimal128 } from 'bson';
import type { BsonValue } from '../build.ts';
import { bsonTypes } from '../types.ts';
import { findField } from '../cursor.ts';
import { JsonError } from './json-error.ts';

/** Converts an object to BSON. */
type Convert = (json: Buffer) => Buffer;

/** The members of an object. */
type Members = Readonly<Record<string, unknown>>;

/** With all hyphens, or with none. */
const uuidPattern = /^[0-9a-f]{8}(-?)(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}$/i;

/** By the sorted names of an object. All other objects are ordinary. */
const readers: Readonly<
  Record<string, (members: Members, json: Buffer, convert: Convert) => BsonValue | null>
> = {
  $oid: ({ $oid }) => ({ type: bsonTypes.objectId, bytes: readHex($oid, 12) }),
  $numberInt: ({ $numberInt }) => {
    const value = readInteger($numberInt, 32);
    return { type: bsonTypes.int, bytes: fixed(4, (bytes) => bytes.writeInt32LE(Number(value))) };
  },
  $numberLong: ({ $numberLong }) => ({ type: bsonTypes.long, bytes: int64(readInteger($numberLong, 64)) }),
  $numberDouble: ({ $numberDouble }) => {
    const value = readDouble($numberDouble);
    return { type: bsonTypes.double, bytes: fixed(8, (bytes) => bytes.writeDoubleLE(value)) };
  },
  $numberDecimal: ({ $numberDecimal }) => {
    return { type: bsonTypes.decimal, bytes: Decimal128.fromString(requireText($numberDecimal)).bytes };
  },
  $date: ({ $date }) => ({ type: bsonTypes.date, bytes: int64(readDate($date)) }),
  $timestamp: ({ $timestamp }) => {
    const { t, i } = requireMembers($timestamp, 2);
    const parts = [requireUint32(i), requireUint32(t)] as const;
    const bytes = fixed(8, (to) => to.writeUInt32LE(parts[1], to.writeUInt32LE(parts[0])));
    return { type: bsonTypes.timestamp, bytes };
  },
  $binary: ({ $binary }) => {
    const { base64, subType } = requireMembers($binary, 2);
    return binary(base64, subType);
  },
  '$binary,$type': ({ $binary, $type }) => binary($binary, $type),
  $uuid: ({ $uuid }) => {
    const text = requireText($uuid);
    if (!uuidPattern.test(text)) throw new TypeError('a UUID is needed');
    const digits = text.replaceAll('-', '');
    return { type: bsonTypes.binData, bytes: concat(int32(16), Buffer.of(4), readHex(digits, 16)) };
  },
  $regularExpression: ({ $regularExpression }) => {
    const { pattern, options } = requireMembers($regularExpression, 2);
    return regex(pattern, options);
  },
  '$options,$regex': ({ $regex, $options }) => {
    // With other values it is the operator of a query.
    return typeof $regex === 'object' ? null : regex($regex, $options);
  },
  $symbol: ({ $symbol }) => ({ type: bsonTypes.symbol, bytes: string($symbol) }),
  $code: ({ $code }) => ({ type: bsonTypes.javascript, bytes: string($code) }),
  '$code,$scope': ({ $code }, json, convert) => {
    // Converted as a document, so that the values of the scope are read like all others.
    const whole = convert(json);
    const scope = findField(whole, '$scope');
    if (scope?.type !== bsonTypes.object) throw new TypeError('a scope must be an object');
    const parts = concat(string($code), whole.subarray(scope.valueStart, scope.valueEnd));
    return { type: bsonTypes.javascriptWithScope, bytes: concat(int32(4 + parts.byteLength), parts) };
  },
  $dbPointer: ({ $dbPointer }) => {
    const { $ref, $id } = requireMembers($dbPointer, 2);
    return {
      type: bsonTypes.dbPointer,
      bytes: concat(string($ref), readHex(requireMembers($id, 1).$oid, 12)),
    };
  },
  $minKey: () => ({ type: bsonTypes.minKey, bytes: Buffer.alloc(0) }),
  $maxKey: () => ({ type: bsonTypes.maxKey, bytes: Buffer.alloc(0) }),
  $undefined: () => ({ type: bsonTypes.undefined, bytes: Buffer.alloc(0) }),
};

const wrapperNames = new Set(Object.keys(readers).flatMap((names) => names.split(',')));

/** Whether an object with this first name may represent a value. */
export function isWrapperName(name: string): boolean {
  return wrapperNames.has(name);
}

/**
 * @param json an object
 * @param at its offset, for errors
 * @returns null for an ordinary object
 * @throws JsonError if its content is not valid for the type that its name says
 */
export function readWrapper(json: Buffer, at: number, convert: Convert): BsonValue | null {
  let members: Members;
  try {
    members = JSON.parse(json.toString('utf8')) as Members;
  } catch {
    // Converted as a document, it shows what is wrong, and where.
    return null;
  }
  const names = Object.keys(members).sort().join(',');
  const reader = Object.hasOwn(readers, names) ? readers[names] : undefined;
  if (reader === undefined) return null;
  try {
    return reader(members, json, convert);
  } catch (error) {
    if (error instanceof JsonError) throw new JsonError(error.message, at + error.offset);
    throw new JsonError(`${json.toString('utf8').slice(0, 100)} has no valid value`, at);
  }
}

function requireText(value: unknown): string {
  // Half of a surrogate pair cannot be encoded in UTF-8, and would become another character.
  if (typeof value === 'string' && !/\p{Surrogate}/u.test(value)) return value;
  throw new TypeError('a text is needed');
}

/** Requires an object of exactly `count` members, because others would be lost. */
function requireMembers(value: unknown, count: number): Members {
  if (typeof value === 'object' && value !== null && Object.keys(value).length === count) {
    return value as Members;
  }
  throw new TypeError(`an object of ${count} is needed`);
}

function requireUint32(value: unknown): number {
  const number = Number(typeof value === 'object' ? Object.values(value ?? {})[0] : value);
  if (Number.isInteger(number) && number >= 0 && number < 2 ** 32) return number;
  throw new RangeError('an unsigned number of 32 bits is needed');
}

function readInteger(value: unknown, bits: 32 | 64): bigint {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : requireText(value);
  if (!/^-?[0-9]+$/.test(text)) throw new TypeError('an integer is needed');
  const integer = BigInt(text);
  if (BigInt.asIntN(bits, integer) !== integer) throw new RangeError(`${bits} bits do not hold it`);
  return integer;
}

function readDouble(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : requireText(value);
  const number = Number(text);
  if (text.trim() === '' || (Number.isNaN(number) && text !== 'NaN')) {
    throw new TypeError('a number is needed');
  }
  return number;
}

/** Milliseconds: a number, an int64, or text in ISO 8601. */
function readDate(value: unknown): bigint {
  if (typeof value === 'number' || typeof value === 'object') {
    return readInteger(typeof value === 'number' ? value : requireMembers(value, 1).$numberLong, 64);
  }
  const text = requireText(value);
  // Without a time zone, JavaScript would use that of this machine.
  const zone = text.includes('T') && !/(?:Z|[+-][0-9]{2}:?[0-9]{2})$/i.test(text) ? 'Z' : '';
  const ms = /^[+-]?[0-9]{4,6}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text + zone) : Number.NaN;
  if (Number.isNaN(ms)) throw new TypeError('a date is needed');
  return BigInt(ms);
}

function readHex(value: unknown, bytes: number): Buffer {
  const text = requireText(value);
  if (text.length !== bytes * 2 || !/^[0-9a-fA-F]+$/.test(text)) throw new TypeError('hex digits are needed');
  return Buffer.from(text, 'hex');
}

const oldSubtype = 2;

function binary(base64: unknown, subtype: unknown): BsonValue {
  const text = requireText(base64);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new TypeError('base64 is needed');
  const digits = typeof subtype === 'number' ? subtype.toString(16) : requireText(subtype);
  const data = Buffer.from(text, 'base64');
  const kind = readHex(digits.padStart(2, '0'), 1);
  // This subtype has a second length word.
  const inner = kind[0] === oldSubtype ? int32(data.byteLength) : Buffer.alloc(0);
  return {
    type: bsonTypes.binData,
    bytes: concat(int32(inner.byteLength + data.byteLength), kind, inner, data),
  };
}

function regex(pattern: unknown, options: unknown): BsonValue {
  const texts = [requireText(pattern), requireText(options)];
  if (texts.some((text) => text.includes('\0'))) throw new TypeError('BSON ends a pattern with U+0000');
  return { type: bsonTypes.regex, bytes: Buffer.from(texts.map((text) => `${text}\0`).join('')) };
}

function string(value: unknown): Buffer {
  const text = Buffer.from(`${requireText(value)}\0`);
  return concat(int32(text.byteLength), text);
}

function int32(value: number): Buffer {
  return fixed(4, (bytes) => bytes.writeInt32LE(value));
}

function int64(value: bigint): Buffer {
  return fixed(8, (bytes) => bytes.writeBigInt64LE(value));
}

function fixed(size: number, write: (bytes: Buffer) => number): Buffer {
  const bytes = Buffer.alloc(size);
  write(bytes);
  return bytes;
}

function concat(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}
