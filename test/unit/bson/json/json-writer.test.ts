import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decimal128, EJSON, Long, serialize } from 'bson';
import { BsonError } from '../../../../src/bson/types.ts';
import { findField, wrapBytes } from '../../../../src/bson/cursor.ts';
import { DocumentError } from '../../../../src/bson/document-error.ts';
import { JsonWriter, maxJsonDepth } from '../../../../src/bson/json/json-writer.ts';
import { Output } from '../../../../src/bson/output.ts';
import { toExtendedJson, value, type Value } from '../../../support/arbitrary-bson.ts';
import { double, int32, int64, rawDocument, type RawElement, rawString } from '../../../support/raw-bson.ts';
import { nulPolicies, type NulPolicy } from '../../../../src/bson/nul-policy.ts';
import type { JsonStyle } from '../../../../src/bson/json/json-style.ts';
import fc from '../../../support/fast-check.ts';

function createWriter(
  style: JsonStyle,
  { nul = 'reject', keepsOrder = false }: { nul?: NulPolicy; keepsOrder?: boolean } = {},
): JsonWriter {
  return new JsonWriter({ style, nul, keepsOrder });
}

const writers = {
  relaxed: createWriter('relaxed'),
  canonical: createWriter('canonical'),
  plain: createWriter('plain'),
};

/** The text of the document's field `v`. */
function writeField(document: Uint8Array, style: JsonStyle, writer = writers[style]): string {
  const found = findField(document, 'v');
  assert.ok(found !== null);
  // As small as possible, so that each write must check its capacity.
  const output = new Output(1);
  writer.writeValue(wrapBytes(document), found.type, found.valueStart, found.valueEnd, output);
  return output.bytes.toString('utf8', 0, output.position);
}

function writeRaw(type: number, bytes: Buffer, style: JsonStyle = 'relaxed'): string {
  return writeField(rawDocument([[type, 'v', bytes]]), style);
}

describe('JsonWriter', () => {
  for (const style of ['relaxed', 'canonical'] as const) {
    it(`writes any value as js-bson does: ${style}`, () => {
      fc.assert(
        fc.property(value, (of) => {
          assert.equal(writeField(serialize(new Map([['v', of]])), style), toExtendedJson(of, style));
        }),
        { numRuns: 2000 },
      );
    });
  }

  const exact: [string, number, Buffer, relaxed: string, canonical: string][] = [
    ['the least int32', 0x10, int32(-0x80000000), '-2147483648', '{"$numberInt":"-2147483648"}'],
    [
      'the greatest int64',
      0x12,
      int64(2n ** 63n - 1n),
      '9223372036854775807',
      '{"$numberLong":"9223372036854775807"}',
    ],
    [
      'the least int64',
      0x12,
      int64(-(2n ** 63n)),
      '-9223372036854775808',
      '{"$numberLong":"-9223372036854775808"}',
    ],
    ['a double without a fraction', 1, double(1), '1', '{"$numberDouble":"1.0"}'],
    ['a large double', 1, double(1e300), '1e+300', '{"$numberDouble":"1e+300"}'],
    ['the least double', 1, double(5e-324), '5e-324', '{"$numberDouble":"5e-324"}'],
    ['NaN', 1, double(NaN), '{"$numberDouble":"NaN"}', '{"$numberDouble":"NaN"}'],
    ['-Infinity', 1, double(-Infinity), '{"$numberDouble":"-Infinity"}', '{"$numberDouble":"-Infinity"}'],
    ['-0', 1, double(-0), '{"$numberDouble":"-0.0"}', '{"$numberDouble":"-0.0"}'],
    ['the epoch', 9, int64(0n), '{"$date":"1970-01-01T00:00:00Z"}', '{"$date":{"$numberLong":"0"}}'],
    [
      'just before the epoch',
      9,
      int64(-1n),
      '{"$date":{"$numberLong":"-1"}}',
      '{"$date":{"$numberLong":"-1"}}',
    ],
    [
      'the end of 9999',
      9,
      int64(253402300799999n),
      '{"$date":"9999-12-31T23:59:59.999Z"}',
      '{"$date":{"$numberLong":"253402300799999"}}',
    ],
    [
      'the year 10000',
      9,
      int64(253402300800000n),
      '{"$date":{"$numberLong":"253402300800000"}}',
      '{"$date":{"$numberLong":"253402300800000"}}',
    ],
    [
      'a date that JavaScript cannot have',
      9,
      int64(2n ** 63n - 1n),
      '{"$date":{"$numberLong":"9223372036854775807"}}',
      '{"$date":{"$numberLong":"9223372036854775807"}}',
    ],
    ['undefined', 6, Buffer.of(), '{"$undefined":true}', '{"$undefined":true}'],
    [
      'a DBPointer',
      12,
      Buffer.concat([rawString('db.c'), Buffer.alloc(12, 0xab)]),
      '{"$dbPointer":{"$ref":"db.c","$id":{"$oid":"abababababababababababab"}}}',
      '{"$dbPointer":{"$ref":"db.c","$id":{"$oid":"abababababababababababab"}}}',
    ],
    [
      'code with an int64 in its scope',
      15,
      codeWithScope('f()', Buffer.from(serialize({ n: Long.MAX_VALUE }))),
      '{"$code":"f()","$scope":{"n":9223372036854775807}}',
      '{"$code":"f()","$scope":{"n":{"$numberLong":"9223372036854775807"}}}',
    ],
    [
      'a regular expression with unknown options',
      11,
      Buffer.from('a"b\0zi\0'),
      '{"$regularExpression":{"pattern":"a\\"b","options":"zi"}}',
      '{"$regularExpression":{"pattern":"a\\"b","options":"zi"}}',
    ],
    [
      'the greatest timestamp',
      17,
      int64(-1n),
      '{"$timestamp":{"t":4294967295,"i":4294967295}}',
      '{"$timestamp":{"t":4294967295,"i":4294967295}}',
    ],
    ['the text \\u0000', 2, rawString('\\u0000'), '"\\\\u0000"', '"\\\\u0000"'],
    [
      'an array whose indices are wrong',
      4,
      rawDocument([
        [8, 'x', Buffer.of(1)],
        [8, '', Buffer.of(0)],
      ]),
      '[true,false]',
      '[true,false]',
    ],
  ];
  for (const [name, type, bytes, relaxed, canonical] of exact) {
    it(`writes ${name}`, () => {
      assert.equal(writeRaw(type, bytes, 'relaxed'), relaxed);
      assert.equal(writeRaw(type, bytes, 'canonical'), canonical);
    });
  }

  it('writes each day from 1970 to 9999 as Date does', () => {
    const day = 86_400_000;
    for (let ms = 0; ms < Date.UTC(10000, 0); ms += 37 * day + 12_345_678) {
      assert.equal(
        writeRaw(9, int64(BigInt(ms))),
        `{"$date":"${new Date(ms).toISOString().replace('.000Z', 'Z')}"}`,
      );
    }
  });

  const plain: [string, number, Buffer, string][] = [
    ['an ObjectId', 7, Buffer.alloc(12, 0xab), `"${'ab'.repeat(12)}"`],
    ['a date', 9, int64(1n), '"1970-01-01T00:00:00.001Z"'],
    ['a date before 1970', 9, int64(-1n), '"1969-12-31T23:59:59.999Z"'],
    ['the first date of the year 1', 9, int64(-62_135_596_800_000n), '"0001-01-01T00:00:00Z"'],
    ['a date before that', 9, int64(-62_135_596_800_001n), '{"$date":{"$numberLong":"-62135596800001"}}'],
    ['the year 10000', 9, int64(253_402_300_800_000n), '{"$date":{"$numberLong":"253402300800000"}}'],
    ['a decimal', 0x13, decimal('-1.50'), '-1.50'],
    ['a decimal with an exponent', 0x13, decimal('1E+6144'), '1.000000000000000000000000000000000E+6144'],
    ['a decimal NaN', 0x13, decimal('NaN'), '{"$numberDecimal":"NaN"}'],
    ['a decimal Infinity', 0x13, decimal('-Infinity'), '{"$numberDecimal":"-Infinity"}'],
    ['a decimal -0', 0x13, decimal('-0.0'), '{"$numberDecimal":"-0.0"}'],
    ['a double -0', 1, double(-0), '{"$numberDouble":"-0.0"}'],
    ['an int64', 0x12, int64(2n ** 63n - 1n), '9223372036854775807'],
    ['a UUID', 5, binary(4, 16), '"abababab-abab-abab-abab-abababababab"'],
    ['a UUID of 15 bytes', 5, binary(4, 15), '{"$binary":{"base64":"q6urq6urq6urq6urq6ur","subType":"04"}}'],
    ['bytes', 5, binary(0, 3), '{"$binary":{"base64":"q6ur","subType":"00"}}'],
    ['a symbol', 14, rawString('s'), '"s"'],
    ['a timestamp', 17, int64(1n), '{"$timestamp":{"t":0,"i":1}}'],
  ];
  for (const [name, type, bytes, expected] of plain) {
    it(`writes ${name} plainly`, () => {
      assert.equal(writeRaw(type, bytes, 'plain'), expected);
    });
  }

  it('writes each day from the year 1 to 1970 as Date does, in plain style', () => {
    for (let ms = -62_135_596_800_000; ms < 0; ms += 37 * 86_400_000 + 12_345_678) {
      assert.equal(
        writeRaw(9, int64(BigInt(ms)), 'plain'),
        `"${new Date(ms).toISOString().replace('.000Z', 'Z')}"`,
      );
    }
  });

  it('applies the policy for NUL wherever text can have one, and never to the text \\u0000', () => {
    const text = rawString('\\u0000\0');
    const cases: [number, Buffer, (text: string) => string][] = [
      [2, text, (shown) => shown],
      [14, text, (shown) => `{"$symbol":${shown}}`],
      [13, text, (shown) => `{"$code":${shown}}`],
      [
        15,
        codeWithScope('\\u0000\0', rawDocument([[2, 'a', text]])),
        (shown) => `{"$code":${shown},"$scope":{"a":${shown}}}`,
      ],
      [
        12,
        Buffer.concat([text, Buffer.alloc(12)]),
        (shown) => `{"$dbPointer":{"$ref":${shown},"$id":{"$oid":"${'0'.repeat(24)}"}}}`,
      ],
      [
        3,
        rawDocument([[4, '\\u0000', rawDocument([[2, '0', text]])]]),
        (shown) => `{"\\\\u0000":[${shown}]}`,
      ],
    ];
    const shown = { strip: '"\\\\u0000"', replace: '"\\\\u0000\ufffd"' };
    for (const [type, bytes, expected] of cases) {
      const document = rawDocument([[type, 'v', bytes]]);
      for (const nul of nulPolicies) {
        const writer = createWriter('relaxed', { nul });
        if (nul === 'reject') {
          assert.throws(() => writeField(document, 'relaxed', writer), isDocumentError('nul'));
        } else {
          assert.equal(writeField(document, 'relaxed', writer), expected(shown[nul]));
        }
      }
    }
  });

  it('distinguishes documents by the order of their keys, if requested', () => {
    const one: RawElement = [0x10, 'a', int32(1)];
    const other: RawElement = [8, 'b', Buffer.of(1)];
    const cases: [RawElement[], string][] = [
      [[], '{}'],
      [[one], '{"a":{"$numberInt":"1"}}'],
      [[one, other], '{"$document":[["a",{"$numberInt":"1"}],["b",true]]}'],
      [[other, one], '{"$document":[["b",true],["a",{"$numberInt":"1"}]]}'],
      [[other, other], '{"$document":[["b",true],["b",true]]}'],
      [[[3, 'n', rawDocument([other, one])]], '{"n":{"$document":[["b",true],["a",{"$numberInt":"1"}]]}}'],
      [[[4, 'n', rawDocument([other, one])]], '{"n":[true,{"$numberInt":"1"}]}'],
      [[[2, '$oid', rawString('0'.repeat(24))]], `{"$document":[["$oid","${'0'.repeat(24)}"]]}`],
      [[[4, '$document', rawDocument([])]], '{"$document":[["$document",[]]]}'],
      [[[10, '', Buffer.of()]], '{"":null}'],
    ];
    const writer = createWriter('canonical', { keepsOrder: true });
    for (const [elements, expected] of cases) {
      const document = rawDocument([[3, 'v', rawDocument(elements)]]);
      assert.equal(writeField(document, 'canonical', writer), expected);
    }
  });

  it('loses nothing, not even the order of keys, if requested', () => {
    const writer = createWriter('canonical', { keepsOrder: true });
    fc.assert(
      fc.property(value, (of) => {
        const document = serialize(new Map([['v', of]]));
        const json: unknown = JSON.parse(writeField(document, 'canonical', writer));
        assert.deepEqual(serialize(new Map([['v', readOrdered(json)]])), document);
      }),
      { numRuns: 2000 },
    );
  });

  it('writes a duplicate key twice, and jsonb keeps the last', () => {
    const twice = rawDocument([
      [0x0a, 'a', Buffer.of()],
      [8, 'a', Buffer.of(1)],
    ]);
    assert.equal(writeRaw(3, twice), '{"a":null,"a":true}');
  });

  it(`follows ${maxJsonDepth} levels and no more`, () => {
    assert.equal(writeRaw(4, nest(maxJsonDepth)), '['.repeat(maxJsonDepth) + ']'.repeat(maxJsonDepth));
    assert.throws(() => writeRaw(4, nest(maxJsonDepth + 1)), isDocumentError('too_deep'));
    assert.throws(() => writeRaw(4, nest(5000)), isDocumentError('too_deep'));
  });

  it('counts a scope as a level', () => {
    let value = rawDocument([]);
    for (let i = 0; i < maxJsonDepth; i++) value = rawDocument([[15, '', codeWithScope('', value)]]);
    assert.throws(() => writeRaw(3, value), isDocumentError('too_deep'));
  });

  const unstorable: [string, string, number, Buffer][] = [
    ['nul', 'a NUL in a string', 2, rawString('a\0b')],
    ['nul', 'a NUL in a symbol', 14, rawString('\0')],
    ['nul', 'a NUL in code', 13, rawString('a\0')],
    ['nul', 'a NUL in an array', 4, rawDocument([[2, '0', rawString('\0')]])],
    ['invalid_utf8', 'a byte that starts nothing', 2, rawString(Buffer.from('61ff', 'hex'))],
    ['invalid_utf8', 'a lone surrogate', 2, rawString(Buffer.from('eda080', 'hex'))],
    ['invalid_utf8', 'an overlong sequence', 2, rawString(Buffer.from('c080', 'hex'))],
    ['invalid_utf8', 'a code point beyond the last', 2, rawString(Buffer.from('f4908080', 'hex'))],
    ['invalid_utf8', 'a sequence that is cut', 2, rawString(Buffer.from('e282', 'hex'))],
    ['invalid_utf8', 'bytes in a key', 3, rawDocument([[10, Buffer.from('ed', 'hex'), Buffer.of()]])],
    ['invalid_utf8', 'bytes in a pattern', 11, Buffer.from('80000000', 'hex').subarray(0, 3)],
  ];
  for (const [reason, name, type, bytes] of unstorable) {
    it(`refuses ${name}`, () => {
      assert.throws(() => writeRaw(type, bytes), isDocumentError(reason));
    });
  }

  it('refuses a document that is corrupt inside', () => {
    const inner = rawDocument([[8, 'a', Buffer.of(7)]]);
    assert.throws(() => writeRaw(3, inner), BsonError);
    assert.throws(() => writeRaw(15, codeWithScope('', inner)), BsonError);
  });
});

function nest(levels: number): Buffer {
  let array = rawDocument([]);
  for (let i = 1; i < levels; i++) array = rawDocument([[4, '0', array]]);
  return array;
}

function codeWithScope(code: string, scope: Buffer): Buffer {
  const content = Buffer.concat([rawString(code), scope]);
  return Buffer.concat([int32(content.length + 4), content]);
}

function isDocumentError(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof DocumentError && error.reason === reason && error.offset >= 0;
}

function decimal(text: string): Buffer {
  return Buffer.from(Decimal128.fromString(text).bytes);
}

function binary(subtype: number, length: number): Buffer {
  return Buffer.concat([int32(length), Buffer.of(subtype), Buffer.alloc(length, 0xab)]);
}

/** The value of canonical Extended JSON in which `$document` stands for a document. */
function readOrdered(json: unknown): Value {
  if (Array.isArray(json)) return json.map(readOrdered);
  if (json === null || typeof json !== 'object') return json as string | boolean | null;
  const entries = Object.entries(json) as [string, unknown][];
  const [first] = entries;
  if (first?.[0] === '$document') {
    return new Map((first[1] as [string, unknown][]).map(([key, member]) => [key, readOrdered(member)]));
  }
  if (first?.[0].startsWith('$') === true) {
    return EJSON.deserialize(json, { relaxed: false }) as Value;
  }
  assert.ok(entries.length < 2);
  return new Map(entries.map(([key, member]) => [key, readOrdered(member)]));
}
