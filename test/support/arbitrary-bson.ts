/**
 * Random BSON: documents with every type, and their Extended JSON as the specification and js-bson have it.
 */

import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  EJSON,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';
import fc from './fast-check.ts';

/** A document is a Map, which keeps the order of keys such as `1` and `__proto__`. */
export type Value =
  | string
  | boolean
  | null
  | Date
  | Int32
  | Long
  | Double
  | ObjectId
  | Decimal128
  | Binary
  | BSONRegExp
  | Code
  | BSONSymbol
  | Timestamp
  | MinKey
  | MaxKey
  | Value[]
  | Map<string, Value>;

/** Any characters but NUL; often those that JSON escapes or UTF-8 encodes in several bytes. */
export const text = fc
  .oneof(
    fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({ unit: 'binary', minLength: 60, maxLength: 140 }),
    fc.string({
      unit: fc.constantFrom(
        '"',
        '\\',
        '\n',
        '\u0001',
        '\u007f',
        '\ufeff',
        '\u2028',
        'é',
        '€',
        '🦊',
        '\u{10ffff}',
        '\\u0000',
      ),
    }),
  )
  .map((value) => value.replaceAll('\0', ''));

export const key = fc.oneof(
  text,
  fc.constantFrom(
    '',
    '__proto__',
    'constructor',
    '$oid',
    '$x',
    'a.b',
    '0',
    '10',
    'length',
    'toString',
    'k'.repeat(300),
  ),
);

/** The int64s that an edge may lie between. */
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc
    .tuple(
      fc.constantFrom(31n, 32n, 53n, 54n, 62n),
      fc.bigInt({ min: -3n, max: 3n }),
      fc.constantFrom(1n, -1n),
    )
    .map(([power, offset, sign]) => sign * 2n ** power + offset),
);

const numbers = {
  int: fc.oneof(fc.integer(), fc.integer({ min: -100, max: 100 })).map((value) => new Int32(value)),
  long: int64.map((value) => Long.fromBigInt(value)),
  double: fc
    .oneof(
      fc.double(),
      fc.integer(),
      fc.maxSafeInteger(),
      int64.map(Number),
      fc.constantFrom(-0, NaN, 5e-324, 1e21, 2 ** 63),
    )
    .map((value) => new Double(value)),
};

/** Of up to 34 digits, and every exponent; a text cannot show what is not canonical, or a NaN's payload. */
export const decimal: fc.Arbitrary<Decimal128> = fc.oneof(
  fc
    .tuple(
      fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 34n - 1n }), fc.bigInt({ min: 0n, max: 10_000n })),
      fc.oneof(fc.integer({ min: -6176, max: 6111 }), fc.integer({ min: -40, max: 10 })),
      fc.constantFrom('', '-'),
    )
    .map(([digits, exponent, sign]) => Decimal128.fromString(`${sign}${digits}E${exponent}`)),
  fc.constantFrom('NaN', 'Infinity', '-Infinity').map((name) => Decimal128.fromString(name)),
);

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });

/** The scalar types that have columns of their own, and the others. */
export const scalar: fc.Arbitrary<Value> = fc.oneof(
  text,
  fc.boolean(),
  fc.constant(null),
  ...Object.values(numbers),
  fc.date({ noInvalidDate: true }),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }),
  bytes(12).map((value) => new ObjectId(value)),
);

const rare: fc.Arbitrary<Value> = fc.oneof(
  decimal,
  fc
    .tuple(fc.uint8Array({ maxLength: 20 }), fc.constantFrom(0, 1, 2, 5, 0x80, 255))
    .map(([value, type]) => new Binary(value, type)),
  bytes(16).map((value) => new Binary(value, 4)),
  fc
    .tuple(text, fc.constantFrom('', 'i', 'imsx'))
    .map(([pattern, options]) => new BSONRegExp(pattern, options)),
  text.map((value) => new Code(value)),
  text.map((value) => new BSONSymbol(value)),
  fc.tuple(fc.nat(), fc.nat()).map(([t, i]) => new Timestamp({ t, i })),
  fc.constantFrom(new MinKey(), new MaxKey()),
);

/** Any BSON value, of a few levels. */
export const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { arbitrary: scalar, weight: 4 },
    { arbitrary: rare, weight: 2 },
    { arbitrary: fc.array(tie('value'), { maxLength: 5 }), weight: 1 },
    {
      arbitrary: fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((entries) => new Map(entries)),
      weight: 1,
    },
  ),
})).value;

/** The Extended JSON text. Where js-bson does not keep a value in relaxed style, this does. */
export function toExtendedJson(of: Value, style: 'relaxed' | 'canonical'): string {
  if (of instanceof Map) {
    const members = Array.from(
      of,
      ([name, member]) => `${JSON.stringify(name)}:${toExtendedJson(member, style)}`,
    );
    return `{${members.join(',')}}`;
  }
  if (Array.isArray(of)) return `[${of.map((element) => toExtendedJson(element, style)).join(',')}]`;
  // A Timestamp is a Long to js-bson.
  if (of instanceof Long && !(of instanceof Timestamp) && style === 'relaxed') return of.toString();
  const isRelaxed = style === 'relaxed' && !(of instanceof Double && Object.is(of.value, -0));
  return EJSON.stringify(of, { relaxed: isRelaxed });
}
