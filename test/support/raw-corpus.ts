/**
 * Every type of BSON with its edge values as bytes, including some that no driver writes, and how each is stored: the
 * policy of `docs/types.md`, value by value.
 */

import { Decimal128 } from 'bson';
import { bsonTypes, type BsonTypeName } from '../../src/bson/types.ts';
import { double, int32, int64, rawDocument, rawString } from './raw-bson.ts';
import type { JsonStyle } from '../../src/bson/json/json-style.ts';
import type { ColumnType } from '../../src/transcode/column-types/names.ts';

export interface CorpusValue {
  readonly name: string;
  readonly bson: BsonTypeName;
  readonly bytes: Buffer;
  /** The type of the column that a field of such values gets. */
  readonly column: ColumnType;
  /**
   * What Postgres shows of it in that column (of a double, what JavaScript does, which differs in when there is an
   * exponent); null for SQL NULL, and `extra` if it does not fit and goes to `_extra`. Of
   * a jsonb column, the JSON is to be compared instead.
   */
  readonly shown: string | null;
  readonly json: Readonly<Record<JsonStyle, string>>;
}

/** In `shown`, for a value that does not fit its column. */
export const extra = 'extra';

interface Details {
  readonly column?: ColumnType;
  readonly canonical?: string;
  readonly plain?: string;
}

function value(
  name: string,
  bson: BsonTypeName,
  bytes: Buffer,
  shown: string | null,
  relaxed: string,
  { column = columnOf[bson] ?? 'json', canonical = relaxed, plain = relaxed }: Details = {},
): CorpusValue {
  return {
    name,
    bson,
    bytes,
    column,
    shown,
    json: { relaxed, canonical, plain },
  };
}

const columnOf: Partial<Record<BsonTypeName, ColumnType>> = {
  objectId: 'objectId',
  string: 'string',
  symbol: 'symbol',
  int: 'int32',
  long: 'int64',
  double: 'double',
  decimal: 'decimal',
  bool: 'boolean',
  date: 'date',
  binData: 'binary',
};

function text(name: string, of: string): CorpusValue {
  return value(name, 'string', rawString(of), of, JSON.stringify(of));
}

function int(of: number): CorpusValue {
  return value(`the int32 ${of}`, 'int', int32(of), String(of), String(of), {
    canonical: `{"$numberInt":"${of}"}`,
  });
}

function long(of: bigint): CorpusValue {
  return value(`the int64 ${of}`, 'long', int64(of), String(of), String(of), {
    canonical: `{"$numberLong":"${of}"}`,
  });
}

function number(of: number, shown: string, canonical: string): CorpusValue {
  return value(`the double ${canonical}`, 'double', double(of), shown, String(of), {
    canonical: `{"$numberDouble":"${canonical}"}`,
  });
}

/** A double that is no JSON number. */
function special(of: number, canonical: string, shown = canonical): CorpusValue {
  return value(`the double ${canonical}`, 'double', double(of), shown, `{"$numberDouble":"${canonical}"}`);
}

function decimal(of: string, shown: string, plain?: string): CorpusValue {
  const json = `{"$numberDecimal":"${of}"}`;
  const bytes = Buffer.from(Decimal128.fromString(of).bytes);
  return value(`the decimal ${of}`, 'decimal', bytes, shown, json, { plain: plain ?? json });
}

function date(name: string, epochMs: bigint, shown: string, details: Details & { relaxed?: string } = {}) {
  const canonical = `{"$date":{"$numberLong":"${epochMs}"}}`;
  return value(name, 'date', int64(epochMs), shown, details.relaxed ?? canonical, { canonical, ...details });
}

function binary(name: string, subtype: number, bytes: Buffer, base64: string, details: Details = {}) {
  const subType = subtype.toString(16).padStart(2, '0');
  const content = Buffer.concat([int32(bytes.length), Buffer.of(subtype), bytes]);
  const json = `{"$binary":{"base64":"${base64}","subType":"${subType}"}}`;
  const shown = details.column === 'json' ? json : `\\x${bytes.toString('hex')}`;
  return value(name, 'binData', content, shown, json, details);
}

function other(
  name: string,
  bson: BsonTypeName,
  bytes: Buffer,
  relaxed: string,
  details: Details = {},
): CorpusValue {
  return value(name, bson, bytes, relaxed, relaxed, details);
}

const uuid = '00112233-4455-6677-8899-aabbccddeeff';
const uuidBytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
const objectId = '00ff10abcdef0123456789ab';
const nines = '9'.repeat(34);
const inScope = rawDocument([[bsonTypes.long, 'n', int64(2n ** 63n - 1n)]]);
const nestedScope = Buffer.concat([rawString('f()'), inScope]);

/** The decimal 10^34, with one digit too many, and the exponent 0. */
const tooManyDigits = Buffer.from('00000000648e8d37c087adbe09ed4130', 'hex');

export const corpus: readonly CorpusValue[] = [
  value('an ObjectId', 'objectId', Buffer.from(objectId, 'hex'), objectId, `{"$oid":"${objectId}"}`, {
    plain: `"${objectId}"`,
  }),

  text('an empty string', ''),
  text('a string of every length of UTF-8', 'aé€🦊\u{10ffff}\ufeff\u2028'),
  text('a string of what JSON escapes', '"\\/\b\f\n\r\t\u0001\u001f\u007f'),
  text('the text \\u0000', '\\u0000'),
  text('a long string', 'é"'.repeat(50_000)),

  int(0),
  int(-1),
  int(2 ** 31 - 1),
  int(-(2 ** 31)),
  long(0n),
  long(2n ** 53n + 1n),
  long(2n ** 63n - 1n),
  long(-(2n ** 63n)),

  number(0, '0', '0.0'),
  number(1.5, '1.5', '1.5'),
  number(0.1, '0.1', '0.1'),
  number(1e300, '1e+300', '1e+300'),
  number(5e-324, '5e-324', '5e-324'),
  number(2 ** 63, '9223372036854776000', '9223372036854775808.0'),
  special(NaN, 'NaN'),
  special(Infinity, 'Infinity'),
  special(-Infinity, '-Infinity'),
  special(-0, '-0.0', '-0'),

  decimal('0', '0', '0'),
  decimal('1.50', '1.50', '1.50'),
  decimal(nines, nines, nines),
  decimal(`-0.${nines}`, `-0.${nines}`, `-0.${nines}`),
  decimal('1E+3', '1000', '1E+3'),
  decimal(
    '9.999999999999999999999999999999999E+6144',
    `${nines}${'0'.repeat(6111)}`,
    '9.999999999999999999999999999999999E+6144',
  ),
  decimal('1E-6176', `0.${'0'.repeat(6175)}1`, '1E-6176'),
  decimal('0E-6176', `0.${'0'.repeat(6176)}`, '0E-6176'),
  decimal('NaN', 'NaN'),
  decimal('Infinity', 'Infinity'),
  decimal('-Infinity', '-Infinity'),
  decimal('-0.00', extra),
  value('a decimal of 35 digits', 'decimal', tooManyDigits, '0', '{"$numberDecimal":"0"}', { plain: '0' }),

  value('true', 'bool', Buffer.of(1), 'true', 'true'),
  value('false', 'bool', Buffer.of(0), 'false', 'false'),

  date('the epoch', 0n, '1970-01-01 00:00:00+00', {
    relaxed: '{"$date":"1970-01-01T00:00:00Z"}',
    plain: '"1970-01-01T00:00:00Z"',
  }),
  date('a date with milliseconds', 1_709_208_000_007n, '2024-02-29 12:00:00.007+00', {
    relaxed: '{"$date":"2024-02-29T12:00:00.007Z"}',
    plain: '"2024-02-29T12:00:00.007Z"',
  }),
  date('a date before 1970', -1n, '1969-12-31 23:59:59.999+00', { plain: '"1969-12-31T23:59:59.999Z"' }),
  date('a date of the year 10000', 253_402_300_800_000n, '10000-01-01 00:00:00+00'),
  date('the first date of Postgres', -210_866_803_200_000n, '4714-11-24 00:00:00+00 BC'),
  date('a date before that', -210_866_803_200_001n, extra),
  date('the last date of Postgres', 9_224_318_015_999_999n, '294276-12-31 23:59:59.999+00'),
  date('a date after that', 9_224_318_016_000_000n, extra),
  date('the greatest date', 2n ** 63n - 1n, extra),
  date('the least date', -(2n ** 63n), extra),

  binary('no bytes', 0, Buffer.of(), ''),
  binary('bytes', 0, Buffer.of(0, 255, 128), 'AP+A'),
  {
    ...binary('a UUID', 4, uuidBytes, 'ABEiM0RVZneImaq7zN3u/w==', { column: 'uuid', plain: `"${uuid}"` }),
    shown: uuid,
  },
  binary('a UUID of 15 bytes', 4, uuidBytes.subarray(1), 'ESIzRFVmd4iZqrvM3e7/', { column: 'json' }),
  binary('an old UUID', 3, uuidBytes, 'ABEiM0RVZneImaq7zN3u/w==', { column: 'json' }),
  binary('bytes of subtype 255', 255, Buffer.of(1), 'AQ==', { column: 'json' }),
  other(
    'bytes of the old subtype',
    'binData',
    Buffer.concat([int32(5), Buffer.of(2), int32(1), Buffer.of(1)]),
    '{"$binary":{"base64":"AQ==","subType":"02"}}',
    { column: 'json' },
  ),

  other('an empty document', 'object', rawDocument([]), '{}'),
  other(
    'a document of hostile names',
    'object',
    rawDocument(['', '$x', 'a.b', '__proto__', '\\u0000', '"'].map((name) => [8, name, Buffer.of(1)])),
    '{"":true,"$x":true,"a.b":true,"__proto__":true,"\\\\u0000":true,"\\"":true}',
  ),
  other('an empty array', 'array', rawDocument([]), '[]'),
  other(
    'an array in an array',
    'array',
    rawDocument([[4, '0', rawDocument([[10, '0', Buffer.of()]])]]),
    '[[null]]',
  ),

  value('null', 'null', Buffer.of(), null, 'null'),
  other('undefined', 'undefined', Buffer.of(), '{"$undefined":true}'),
  other('a timestamp', 'timestamp', int64((7n << 32n) | 9n), '{"$timestamp":{"t":7,"i":9}}'),
  other('the greatest timestamp', 'timestamp', int64(-1n), '{"$timestamp":{"t":4294967295,"i":4294967295}}'),
  other(
    'a regular expression',
    'regex',
    Buffer.from('^a"\\d\0imsx\0'),
    '{"$regularExpression":{"pattern":"^a\\"\\\\d","options":"imsx"}}',
  ),
  other('code', 'javascript', rawString('f()'), '{"$code":"f()"}'),
  other(
    'code with a scope',
    'javascriptWithScope',
    Buffer.concat([int32(nestedScope.length + 4), nestedScope]),
    '{"$code":"f()","$scope":{"n":9223372036854775807}}',
    { canonical: '{"$code":"f()","$scope":{"n":{"$numberLong":"9223372036854775807"}}}' },
  ),
  value('a symbol', 'symbol', rawString('s"é'), 's"é', '{"$symbol":"s\\"é"}', { plain: '"s\\"é"' }),
  other(
    'a DBPointer',
    'dbPointer',
    Buffer.concat([rawString('db.c'), Buffer.from(objectId, 'hex')]),
    `{"$dbPointer":{"$ref":"db.c","$id":{"$oid":"${objectId}"}}}`,
  ),
  other('the least key', 'minKey', Buffer.of(), '{"$minKey":1}'),
  other('the greatest key', 'maxKey', Buffer.of(), '{"$maxKey":1}'),
];
