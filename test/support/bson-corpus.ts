/** Every type of BSON with its edge values, and how each is stored in a column of each type, according to docs/types.md. */

import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  DBRef,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb';
import type { ColumnType } from '../../src/transcode/column-types/names.ts';

export interface Edge {
  readonly what: string;
  readonly value: unknown;
  /** As Postgres writes the column; `_extra`: it does not fit and is kept there; `letter`: it becomes a dead letter. */
  readonly shown: string | null;
}

const uuid = new Binary(Buffer.from('00112233445566778899aabbccddeeff', 'hex'), Binary.SUBTYPE_UUID);
const int = (value: number): Int32 => new Int32(value);
const double = (value: number): Double => new Double(value);
const decimal = (text: string): Decimal128 => Decimal128.fromString(text);
const edge = (what: string, value: unknown, shown: string | null): Edge => ({ what, value, shown });

/** Null and a missing field are NULL in every column; and what another column takes is in the extra column here. */
const everywhere: readonly Edge[] = [edge('null', null, null), edge('a document', { a: int(1) }, '_extra')];

export const corpus: Readonly<Record<Exclude<ColumnType, 'json'>, readonly Edge[]>> = {
  objectId: [
    ...everywhere,
    edge('zeros', new ObjectId('000000000000000000000000'), '000000000000000000000000'),
    edge('all bits', new ObjectId('FFFFFFFFFFFFFFFFFFFFFFFF'), 'ffffffffffffffffffffffff'),
    edge('its digits as a string', '000000000000000000000000', '_extra'),
  ],
  objectIdBytes: [
    ...everywhere,
    edge('some', new ObjectId('0123456789abcdef01234567'), String.raw`\x0123456789abcdef01234567`),
  ],
  string: [
    ...everywhere,
    edge('empty', '', ''),
    edge('quotes and backslashes', String.raw`"\ ' \u0000 \N`, String.raw`"\ ' \u0000 \N`),
    edge('controls', '\u0001\t\n\r\u007f', '\u0001\t\n\r\u007f'),
    edge('beyond the basic plane', '🦊 \u{10ffff} é €', '🦊 \u{10ffff} é €'),
    edge('U+0000', 'N\0UL', 'letter'),
    edge('a number', int(1), '_extra'),
    edge('a symbol', new BSONSymbol('s'), '_extra'),
  ],
  symbol: [
    ...everywhere,
    edge('one', new BSONSymbol('ruby'), 'ruby'),
    edge('a string', 'no symbol', '_extra'),
  ],
  int32: [
    ...everywhere,
    edge('zero', int(0), '0'),
    edge('the least', int(-2147483648), '-2147483648'),
    edge('the greatest', int(2147483647), '2147483647'),
    edge('an int64 that fits', Long.fromString('-2147483648'), '-2147483648'),
    edge('an int64 one too great', Long.fromString('2147483648'), '_extra'),
    edge('a double without a fraction', double(3), '3'),
    edge('a double with one', double(3.5), '_extra'),
    edge('a double -0', double(-0), '_extra'),
    edge('a decimal', decimal('3'), '_extra'),
  ],
  int64: [
    ...everywhere,
    edge('the least', Long.MIN_VALUE, '-9223372036854775808'),
    edge('the greatest', Long.MAX_VALUE, '9223372036854775807'),
    edge('beyond what a double holds', Long.fromString('9007199254740993'), '9007199254740993'),
    edge('an int32', int(-1), '-1'),
    edge('a double 2^63', double(2 ** 63), '_extra'),
    edge('a double -2^63', double(-(2 ** 63)), '-9223372036854775808'),
    edge('NaN', double(NaN), '_extra'),
  ],
  double: [
    ...everywhere,
    edge('a third', double(1 / 3), '0.3333333333333333'),
    edge('the smallest', double(5e-324), '5e-324'),
    edge('the greatest', double(Number.MAX_VALUE), '1.7976931348623157e+308'),
    edge('NaN', double(NaN), 'NaN'),
    edge('infinity', double(Infinity), 'Infinity'),
    edge('minus infinity', double(-Infinity), '-Infinity'),
    edge('-0', double(-0), '-0'),
    edge('an int32', int(7), '7'),
    edge('an int64 that is exact', Long.fromString('9007199254740992'), '9.007199254740992e+15'),
    edge('an int64 that is not', Long.fromString('9007199254740993'), '_extra'),
  ],
  decimal: [
    ...everywhere,
    edge('34 digits', decimal('1.234567890123456789012345678901234'), '1.234567890123456789012345678901234'),
    edge('decimal places that are zeros', decimal('1.50'), '1.50'),
    edge('a positive exponent', decimal('1E+3'), '1000'),
    edge('the largest exponent', decimal('1E+6111'), `1${'0'.repeat(6111)}`),
    edge('the smallest exponent', decimal('1E-6176'), `0.${'0'.repeat(6175)}1`),
    edge('negative', decimal('-0.001'), '-0.001'),
    edge('NaN', decimal('NaN'), 'NaN'),
    edge('infinity', decimal('Infinity'), 'Infinity'),
    edge('minus infinity', decimal('-Infinity'), '-Infinity'),
    edge('-0', decimal('-0'), '_extra'),
    edge('zero with places', decimal('0.000'), '0.000'),
    edge('an int64', Long.MIN_VALUE, '-9223372036854775808'),
    edge('a double', double(0.1), '0.1'),
    edge('a great double', double(1e22), '10000000000000000000000'),
    edge('a double -0', double(-0), '_extra'),
  ],
  boolean: [
    ...everywhere,
    edge('true', true, 'true'),
    edge('false', false, 'false'),
    edge('1', int(1), '_extra'),
  ],
  date: [
    ...everywhere,
    edge('the epoch', new Date(0), '1970-01-01 00:00:00+00'),
    edge('a millisecond before it', new Date(-1), '1969-12-31 23:59:59.999+00'),
    edge('a leap day', new Date('2024-02-29T23:59:59.999Z'), '2024-02-29 23:59:59.999+00'),
    edge('the last that JavaScript has', new Date(8.64e15), '275760-09-13 00:00:00+00'),
    edge(
      'the first of 4713 BC that Postgres has',
      new Date(-210_866_803_200_000),
      '4714-11-24 00:00:00+00 BC',
    ),
    edge('before 4713 BC', new Date(-8.64e15), '_extra'),
    edge('a timestamp', new Timestamp({ t: 1, i: 2 }), '_extra'),
  ],
  uuid: [
    ...everywhere,
    edge('one', uuid, '00112233-4455-6677-8899-aabbccddeeff'),
    edge('of the old subtype', new Binary(uuid.buffer, 3), '_extra'),
    edge('of 15 bytes', new Binary(Buffer.alloc(15), 4), '_extra'),
  ],
  binary: [
    ...everywhere,
    edge('empty', new Binary(Buffer.alloc(0), 0), String.raw`\x`),
    edge('every byte', new Binary(Buffer.from([0, 1, 127, 128, 255]), 0), String.raw`\x00017f80ff`),
    edge('of another subtype', new Binary(Buffer.from([1]), 5), '_extra'),
    edge('a UUID', uuid, '_extra'),
  ],
};

/** Values that only jsonb can hold. */
const jsonOnly: readonly Edge['value'][] = [
  new Timestamp({ t: 4294967295, i: 1 }),
  new BSONRegExp('^a"b\\\\', 'imx'),
  new Code('function () { return "x"; }'),
  new Code('x', { x: int(1) }),
  new DBRef('c', new ObjectId('000000000000000000000000')),
  new MinKey(),
  new MaxKey(),
  new Binary(Buffer.from([1, 2]), 128),
  [],
  {},
  [[], [[int(1)]], { a: [null] }],
  { '': int(1), $x: int(2), 'a.b': int(3), Name: int(4), name: int(5) },
];

/** All values that jsonb can hold. */
export const everyValue: readonly unknown[] = [
  ...Object.values(corpus)
    .flat()
    .filter(({ shown }) => shown !== 'letter')
    .map(({ value }) => value),
  ...jsonOnly,
];

/**
 * Not every server stores it; all store numbers, text, booleans, null, ObjectId, Date, Timestamp, Binary, and regular
 * expressions.
 */
export function isRare(value: unknown): boolean {
  if (value instanceof Double) return Number.isNaN(value.value);
  return [Decimal128, BSONSymbol, MinKey, MaxKey, Code].some((type) => value instanceof type);
}
