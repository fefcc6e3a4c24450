import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  DBRef,
  Decimal128,
  Double,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
  UUID,
  type Document,
} from 'bson';
import { JsonError } from '../../../../src/bson/json/json-error.ts';
import { JsonToBson } from '../../../../src/bson/json/json-to-bson.ts';
import { toExtendedJson, value, type Value } from '../../../support/arbitrary-bson.ts';
import { int32, int64, rawDocument, rawString } from '../../../support/raw-bson.ts';
import fc from '../../../support/fast-check.ts';

const converter = new JsonToBson();
const convert = (json: string | Buffer): string => converter.convert(Buffer.from(json)).toString('hex');
const bson = (document: Document | Map<string, Value>): string =>
  Buffer.from(serialize(document, { ignoreUndefined: false })).toString('hex');

/** An object that reads `{"$oid": …}` is not distinguishable from an ObjectId, in no Extended JSON. */
function looksLikeAValue(of: Value): boolean {
  if (Array.isArray(of)) return of.some(looksLikeAValue);
  return of instanceof Map && (of.has('$oid') || [...of.values()].some(looksLikeAValue));
}

const id = new ObjectId('65f0a1b2c3d4e5f6a7b8c9d0');
const oid = '{"$oid":"65f0a1b2c3d4e5f6a7b8c9d0"}';
const day = new Date('2014-02-22T08:00:00.123Z');
const bytes = Buffer.of(0, 1, 255);

describe('Extended JSON to BSON', () => {
  it('of version 2, canonical: any document is converted back unchanged', () => {
    fc.assert(
      fc.property(value, (of) => {
        fc.pre(!looksLikeAValue(of));
        const document = new Map<string, Value>([['v', of]]);
        assert.equal(convert(toExtendedJson(document, 'canonical')), bson(document));
      }),
      { numRuns: 1000 },
    );
  });

  const both: readonly (readonly [json: string, document: Document])[] = [
    // Version 2, relaxed, as mongoexport writes it: a double has a point or an exponent.
    ['{"a":1}', { a: 1 }],
    ['{"a":-2147483648}', { a: -2147483648 }],
    ['{"a":2147483648}', { a: Long.fromNumber(2147483648) }],
    ['{"a":9007199254740993}', { a: Long.fromString('9007199254740993') }],
    ['{"a":-9223372036854775808}', { a: Long.MIN_VALUE }],
    ['{"a":9223372036854775808}', { a: new Double(9223372036854775808) }],
    ['{"a":1.0}', { a: new Double(1) }],
    ['{"a":-0.0}', { a: new Double(-0) }],
    ['{"a":1E+20}', { a: new Double(1e20) }],
    ['{"a":1.5e-3}', { a: new Double(0.0015) }],
    ['{"a":{"$date":"2014-02-22T08:00:00.123Z"}}', { a: day }],
    ['{"a":{"$numberDouble":"NaN"},"b":{"$numberDouble":"-Infinity"}}', { a: NaN, b: -Infinity }],
    [
      '{"a":{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}}',
      { a: new UUID('00112233-4455-6677-8899-aabbccddeeff') },
    ],
    ['{"a":{"$regularExpression":{"pattern":"^a","options":"im"}}}', { a: new BSONRegExp('^a', 'im') }],
    [
      `{"a":{"$code":"f()","$scope":{"x":1.0,"y":${oid}}}}`,
      { a: new Code('f()', { x: new Double(1), y: id }) },
    ],
    // Version 1.
    [`{"a":${oid}}`, { a: id }],
    ['{ "a" : { "$numberLong" : "123" } }', { a: Long.fromNumber(123) }],
    ['{"a":{"$date":"2014-02-22T03:00:00.123-0500"}}', { a: day }],
    ['{"a":{"$date":"2014-02-22T08:00:00.123"}}', { a: day }],
    ['{"a":{"$date":1393056000123}}', { a: day }],
    ['{"a":{"$binary":"AAH/","$type":"00"}}', { a: new Binary(bytes) }],
    ['{"a":{"$binary":"AAH/","$type":"80"}}', { a: new Binary(bytes, 0x80) }],
    ['{"a":{"$type":"02","$binary":"AAH/"}}', { a: new Binary(bytes, 2) }],
    ['{"a":{"$regex":"^a","$options":"i"}}', { a: new BSONRegExp('^a', 'i') }],
    ['{"a":{"$timestamp":{"t":4294967295,"i":7}}}', { a: new Timestamp({ t: 4294967295, i: 7 }) }],
    ['{"a":{"$minKey":1},"b":{"$maxKey":1}}', { a: new MinKey(), b: new MaxKey() }],
    ['{"a":NaN,"b":Infinity,"c":-Infinity}', { a: NaN, b: Infinity, c: -Infinity }],
    [`{"a":{"$ref":"users","$id":${oid},"$db":"school"}}`, { a: new DBRef('users', id, 'school') }],
    [
      '{"a":{"$symbol":"s"},"b":{"$numberDecimal":"1.50"}}',
      { a: new BSONSymbol('s'), b: Decimal128.fromString('1.50') },
    ],
    // What only looks like a value.
    ['{"a":{"$gt":5,"$oid":1}}', { a: { $gt: 5, $oid: 1 } }],
    ['{"a":{"$type":"string"},"b":{"$regex":"x"}}', { a: { $type: 'string' }, b: { $regex: 'x' } }],
    // JSON itself.
    [
      ' {\t"a" : [ ] ,\r\n "b" : { } , "c":null,"d":[true,false] } ',
      { a: [], b: {}, c: null, d: [true, false] },
    ],
    [String.raw`{"a\"\u00e9":"\ud83e\udd8a \\ \/ \u0000"}`, { 'a"é': '🦊 \\ / \0' }],
  ];
  for (const [json, document] of both) {
    it(json.trim(), () => {
      assert.equal(convert(json), bson(document));
    });
  }

  it('keeps the order of fields that are numbers, and two fields of one name', () => {
    const elements = [
      [0x10, '2', int32(1)],
      [0x10, '1', int32(2)],
      [0x02, '2', rawString('again')],
    ] as const;
    assert.equal(convert('{"2":1,"1":2,"2":"again"}'), rawDocument(elements).toString('hex'));
  });

  it('keeps an undefined, which js-bson cannot write', () => {
    assert.equal(
      convert('{"a":{"$undefined":true}}'),
      rawDocument([[0x06, 'a', Buffer.alloc(0)]]).toString('hex'),
    );
  });

  it('keeps a date beyond those of JavaScript', () => {
    const greatest = 2n ** 63n - 1n;
    const json = `{"a":{"$date":{"$numberLong":"${greatest}"}}}`;
    assert.equal(convert(json), rawDocument([[0x09, 'a', int64(greatest)]]).toString('hex'));
  });

  const bad: readonly (readonly [json: string | Buffer, offset: number, problem: RegExp])[] = [
    ['', 0, /a document must begin here/],
    ['[1]', 0, /a document must begin here/],
    ['{"a":1', 6, /, must come here/],
    ['{"a":1} {"b":2}', 8, /should have ended here/],
    ['{"a":1,}', 7, /a name in double quotes/],
    ['{a:1}', 1, /a name in double quotes/],
    ['{"a" 1}', 5, /: must come here/],
    ['{"a":01}', 5, /a value must come here/],
    ['{"a":+1}', 5, /a value must come here/],
    ['{"a":undefined}', 5, /a value must come here/],
    ['{"a":1e999}', 5, /no double is as great/],
    ['{"a":"x', 5, /a text has no end/],
    ['{"a":"x\n"}', 7, /control character/],
    [String.raw`{"a":"\q"}`, 5, /an escape that JSON does not know/],
    [String.raw`{"a":"\ud800"}`, 5, /half of a surrogate pair/],
    [String.raw`{"a\u0000b":1}`, 1, /U\+0000/],
    [Buffer.from('{"a":"\xff"}', 'latin1'), 0, /not UTF-8/],
    ['{"a":{"$oid":"65f0"}}', 5, /no valid value/],
    ['{"a":{"$numberInt":"2147483648"}}', 5, /no valid value/],
    ['{"a":{"$numberLong":"9223372036854775808"}}', 5, /no valid value/],
    ['{"a":{"$date":"yesterday"}}', 5, /no valid value/],
    ['{"a":{"$binary":{"base64":"?","subType":"00"}}}', 5, /no valid value/],
    ['{"a":{"$timestamp":{"t":-1,"i":0}}}', 5, /no valid value/],
    [`{"a":${'['.repeat(1_000_000)}`, 205, /nested more than 200 levels/],
  ];
  for (const [json, offset, problem] of bad) {
    it(`refuses ${json.toString('utf8').slice(0, 50)}`, () => {
      assert.throws(
        () => convert(json),
        (error) => error instanceof JsonError && error.offset === offset && problem.test(error.message),
      );
    });
  }

  it('refuses invalid text only with its own error', () => {
    const pieces = fc.constantFrom(
      ...['{', '}', '[', ']', '"', ',', ':', '\\', '0', '-1', '.5', 'e+'],
      '{"a":',
      '"$oid"',
      'null',
      'true',
      '{"$date":',
      'é',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        try {
          convert(`{"a":${parts.join('')}`);
        } catch (error) {
          if (!(error instanceof JsonError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
