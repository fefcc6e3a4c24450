import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decimal128 } from 'bson';
import { createRowEncoder } from '../../../../src/transcode/row.ts';
import { decodeRows, type Field } from '../../../support/copy-decoder.ts';
import {
  double,
  int32,
  int64,
  makePlan,
  rawArray,
  rawDocument,
  rawString,
} from '../../../support/raw-bson.ts';
import type { ColumnType } from '../../../../src/transcode/column-types/names.ts';
import { columnTypes } from '../../../../src/transcode/column-types/registry.ts';

/** What the column holds after a value was loaded, or `extra` if the value went to the extra column. */
function load(columnType: ColumnType, type: number, bytes: Buffer): Field | { extra: string } {
  const plan = makePlan({ _id: 'int32', v: columnType });
  const document = rawDocument([
    [0x10, '_id', int32(1)],
    [type, 'v', bytes],
  ]);
  const { copy, rowCount, extra } = createRowEncoder(plan).encodeBatch(rawArray([document]));
  assert.equal(rowCount, 1);
  const [row] = decodeRows(copy, plan);
  assert.ok(row !== undefined);
  const { v = null, _extra } = row;
  if (typeof _extra !== 'string') {
    assert.deepEqual(extra, []);
    return v;
  }
  assert.equal(v, null);
  assert.deepEqual(
    extra.map(({ field, reason, count }) => ({ field, reason, count })),
    [{ field: 'v', reason: 'does_not_fit', count: 1 }],
  );
  return { extra: _extra };
}

/** Microseconds since 2000-01-01, which is 946,684,800 s after 1970. */
function micros(epochMs: bigint): bigint {
  return (epochMs - 946_684_800_000n) * 1000n;
}

const max32 = 2 ** 31 - 1;
const max64 = 2n ** 63n - 1n;
/** 4714-11-24 BC and 294277-01-01, in ms since 1970. */
const firstMs = -210_866_803_200_000n;
const endMs = 9_224_318_016_000_000n;

function binary(subtype: number, hex: string): Buffer {
  const bytes = Buffer.from(hex, 'hex');
  return Buffer.concat([int32(bytes.length), Buffer.of(subtype), bytes]);
}

function binaryJson(base64: string, subType: string): string {
  return JSON.stringify({ $binary: { base64, subType } });
}

function decimal(text: string): Buffer {
  return Buffer.from(Decimal128.fromString(text).bytes);
}

const fits: [ColumnType, string, number, Buffer, Field][] = [
  ['objectId', 'an ObjectId', 7, Buffer.from('00ff10abcdef0123456789ab', 'hex'), '00ff10abcdef0123456789ab'],
  ['string', 'an empty string', 2, rawString(''), ''],
  [
    'string',
    'every length of UTF-8',
    2,
    rawString('aé€🦊\u{10ffff}\ufeff\u0001'),
    'aé€🦊\u{10ffff}\ufeff\u0001',
  ],
  ['string', 'the text \\u0000', 2, rawString('\\u0000'), '\\u0000'],
  ['string', 'a long string', 2, rawString('é'.repeat(100_000)), 'é'.repeat(100_000)],
  ['int32', 'the least int32', 0x10, int32(-0x80000000), -0x80000000],
  ['int32', 'the greatest int32 in an int64', 0x12, int64(BigInt(max32)), max32],
  ['int32', 'the least int32 in an int64', 0x12, int64(-(2n ** 31n)), -0x80000000],
  ['int32', 'the greatest int32 in a double', 1, double(max32), max32],
  ['int32', 'the least int32 in a double', 1, double(-0x80000000), -0x80000000],
  ['int32', '0 in a double', 1, double(0), 0],
  ['int64', 'the greatest int64', 0x12, int64(max64), max64],
  ['int64', 'the least int64', 0x12, int64(-max64 - 1n), -max64 - 1n],
  ['int64', 'a negative int32', 0x10, int32(-2), -2n],
  ['int64', 'the least int64 in a double', 1, double(-(2 ** 63)), -(2n ** 63n)],
  ['int64', 'the greatest double below 2^63', 1, double(2 ** 63 - 1024), 2n ** 63n - 1024n],
  ['int64', '-1 in a double', 1, double(-1), -1n],
  ['int64', '-2^32 in a double', 1, double(-(2 ** 32)), -(2n ** 32n)],
  ['double', '-0', 1, double(-0), '8000000000000000'],
  ['double', 'NaN with bits of its own', 1, Buffer.from('010203040506f8ff', 'hex'), 'fff8060504030201'],
  ['double', 'Infinity', 1, double(Infinity), '7ff0000000000000'],
  ['double', 'a subnormal double', 1, double(5e-324), '0000000000000001'],
  ['double', 'an int32', 0x10, int32(-3), 'c008000000000000'],
  ['double', '2^53 in an int64', 0x12, int64(2n ** 53n), '4340000000000000'],
  ['double', 'an int64 of few bits', 0x12, int64(-(2n ** 63n)), 'c3e0000000000000'],
  ['boolean', 'true', 8, Buffer.of(1), true],
  ['boolean', 'false', 8, Buffer.of(0), false],
  ['date', 'the epoch of Postgres', 9, int64(946_684_800_000n), 0n],
  ['date', 'a millisecond before it', 9, int64(946_684_799_999n), -1000n],
  ['date', 'the epoch of Unix', 9, int64(0n), micros(0n)],
  ['date', 'a millisecond before it', 9, int64(-1n), micros(-1n)],
  ['date', 'the first date of Postgres', 9, int64(firstMs), -211_813_488_000_000_000n],
  ['date', 'the last date of Postgres', 9, int64(endMs - 1n), 9_223_371_331_199_999_000n],
  [
    'date',
    'a date beyond the integers of a double',
    9,
    int64(9_200_000_000_000_001n),
    micros(9_200_000_000_000_001n),
  ],
  [
    'objectIdBytes',
    'an ObjectId',
    7,
    Buffer.from('00ff10abcdef0123456789ab', 'hex'),
    '00ff10abcdef0123456789ab',
  ],
  ['symbol', 'a symbol', 14, rawString('é'), 'é'],
  ['uuid', 'a UUID', 5, binary(4, '00112233445566778899aabbccddeeff'), '00112233445566778899aabbccddeeff'],
  ['binary', 'bytes', 5, binary(0, '00ff'), '00ff'],
  ['binary', 'no bytes', 5, binary(0, ''), ''],
  ['binary', 'many bytes', 5, binary(0, 'ab'.repeat(1000)), 'ab'.repeat(1000)],
  [
    'decimal',
    '34 digits',
    0x13,
    decimal('1234567890123456789012345678901234'),
    '1234567890123456789012345678901234',
  ],
  ['decimal', 'its decimal places', 0x13, decimal('-1.500'), '-1.500'],
  ['decimal', 'zero with its decimal places', 0x13, decimal('0E-3'), '0.000'],
  ['decimal', 'a positive exponent', 0x13, decimal('12E+5'), '1200000'],
  ['decimal', 'the greatest number', 0x13, decimal('9E+6144'), `9${'0'.repeat(6144)}`],
  ['decimal', 'the least number', 0x13, decimal('1E-6176'), `0.${'0'.repeat(6175)}1`],
  ['decimal', 'NaN', 0x13, decimal('NaN'), 'NaN'],
  ['decimal', 'Infinity', 0x13, decimal('Infinity'), 'Infinity'],
  ['decimal', '-Infinity', 0x13, decimal('-Infinity'), '-Infinity'],
  ['decimal', 'the least int32', 0x10, int32(-0x80000000), '-2147483648'],
  ['decimal', 'an int32 of 0', 0x10, int32(0), '0'],
  ['decimal', 'the greatest int64', 0x12, int64(max64), String(max64)],
  ['decimal', 'the least int64', 0x12, int64(-max64 - 1n), String(-max64 - 1n)],
  ['decimal', '-2^32 in an int64', 0x12, int64(-(2n ** 32n)), '-4294967296'],
  ['decimal', 'a double by its shortest digits', 1, double(0.1), '0.1'],
  ['decimal', 'a double of many digits', 1, double(-0.1 - 0.2), '-0.30000000000000004'],
  ['decimal', 'a whole double with all its digits', 1, double(2 ** 63), '9223372036854775808'],
  ['decimal', 'a large double', 1, double(1e300), `1${'0'.repeat(300)}`],
  ['decimal', 'the least double', 1, double(5e-324), `0.${'0'.repeat(323)}5`],
  ['decimal', 'a double NaN', 1, double(NaN), 'NaN'],
  ['decimal', 'a double Infinity', 1, double(Infinity), 'Infinity'],
  ['decimal', 'a double -Infinity', 1, double(-Infinity), '-Infinity'],
  ['json', 'an empty document', 3, rawDocument([]), '{}'],
  ['json', 'undefined', 6, Buffer.of(), '{"$undefined":true}'],
  ['json', 'minKey', 0xff, Buffer.of(), '{"$minKey":1}'],
  ['json', 'null', 10, Buffer.of(), null],
  ['string', 'null', 10, Buffer.of(), null],
];

const doesNotFit: [ColumnType, string, number, Buffer, json: string][] = [
  ['objectId', 'a string of 24 digits', 2, rawString('0'.repeat(24)), `"${'0'.repeat(24)}"`],
  ['string', 'an int32', 0x10, int32(1), '1'],
  ['string', 'a symbol', 14, rawString('s'), '{"$symbol":"s"}'],
  ['int32', 'an int64 above', 0x12, int64(2n ** 31n), '2147483648'],
  ['int32', 'an int64 with the low half of an int32', 0x12, int64(2n ** 32n + 5n), '4294967301'],
  ['int32', 'a double above', 1, double(2 ** 31), '2147483648'],
  ['int32', 'a double with a fraction', 1, double(1.5), '1.5'],
  ['int32', '-0', 1, double(-0), '{"$numberDouble":"-0.0"}'],
  ['int32', 'NaN', 1, double(NaN), '{"$numberDouble":"NaN"}'],
  ['int32', 'a boolean', 8, Buffer.of(1), 'true'],
  ['int64', '2^63 in a double', 1, double(2 ** 63), '9223372036854776000'],
  ['int64', 'a double below the least int64', 1, double(-(2 ** 63) - 2048), '-9223372036854778000'],
  ['int64', '-0', 1, double(-0), '{"$numberDouble":"-0.0"}'],
  ['int64', 'Infinity', 1, double(Infinity), '{"$numberDouble":"Infinity"}'],
  ['int64', 'a double with a fraction', 1, double(0.5), '0.5'],
  ['int64', 'a date', 9, int64(0n), '{"$date":"1970-01-01T00:00:00Z"}'],
  ['double', '2^53 + 1 in an int64', 0x12, int64(2n ** 53n + 1n), '9007199254740993'],
  ['double', 'the greatest int64', 0x12, int64(max64), '9223372036854775807'],
  ['double', 'a negative int64 of many bits', 0x12, int64(-(2n ** 53n) - 1n), '-9007199254740993'],
  ['boolean', 'an int32', 0x10, int32(1), '1'],
  ['date', 'a date before the first', 9, int64(firstMs - 1n), '{"$date":{"$numberLong":"-210866803200001"}}'],
  ['date', 'a date after the last', 9, int64(endMs), '{"$date":{"$numberLong":"9224318016000000"}}'],
  ['date', 'the greatest date', 9, int64(max64), '{"$date":{"$numberLong":"9223372036854775807"}}'],
  ['date', 'the least date', 9, int64(-max64 - 1n), '{"$date":{"$numberLong":"-9223372036854775808"}}'],
  ['date', 'a timestamp', 0x11, int64(1n), '{"$timestamp":{"t":0,"i":1}}'],
  ['objectIdBytes', 'a string', 2, rawString('0'.repeat(12)), `"${'0'.repeat(12)}"`],
  ['symbol', 'a string', 2, rawString('s'), '"s"'],
  ['uuid', 'a UUID of 15 bytes', 5, binary(4, '00'.repeat(15)), binaryJson('AAAAAAAAAAAAAAAAAAAA', '04')],
  ['uuid', 'a UUID of 17 bytes', 5, binary(4, '00'.repeat(17)), binaryJson('AAAAAAAAAAAAAAAAAAAAAAA=', '04')],
  ['uuid', '16 other bytes', 5, binary(0, '00'.repeat(16)), binaryJson('AAAAAAAAAAAAAAAAAAAAAA==', '00')],
  ['uuid', 'an old UUID', 5, binary(3, '00'.repeat(16)), binaryJson('AAAAAAAAAAAAAAAAAAAAAA==', '03')],
  ['binary', 'a UUID', 5, binary(4, '00'.repeat(16)), binaryJson('AAAAAAAAAAAAAAAAAAAAAA==', '04')],
  ['binary', 'bytes of the old subtype', 5, binary(2, '0100000061'), binaryJson('YQ==', '02')],
  ['binary', 'bytes of a user-defined subtype', 5, binary(0x80, '61'), binaryJson('YQ==', '80')],
  ['decimal', '-0', 0x13, decimal('-0.00'), '{"$numberDecimal":"-0.00"}'],
  ['decimal', 'a double -0', 1, double(-0), '{"$numberDouble":"-0.0"}'],
  ['decimal', 'a string', 2, rawString('1'), '"1"'],
  ['int32', 'a decimal', 0x13, decimal('1'), '{"$numberDecimal":"1"}'],
  ['double', 'a decimal', 0x13, decimal('1'), '{"$numberDecimal":"1"}'],
  ['string', 'undefined', 6, Buffer.of(), '{"$undefined":true}'],
];

describe('a column', () => {
  for (const [columnType, name, type, bytes, field] of fits) {
    it(`of ${columnType} (${columnTypes[columnType].sql}) takes ${name}`, () => {
      assert.deepEqual(load(columnType, type, bytes), field);
    });
  }
  for (const [columnType, name, type, bytes, json] of doesNotFit) {
    it(`of ${columnType} (${columnTypes[columnType].sql}) does not take ${name}`, () => {
      assert.deepEqual(load(columnType, type, bytes), { extra: `{"v":${json}}` });
    });
  }

  it('of binary takes the values of its subtype, if it has one', () => {
    const plan = makePlan({ _id: 'int32', v: 'binary' });
    const columns = plan.columns.map((column) => (column.field === 'v' ? { ...column, subtype: 2 } : column));
    const documents = [binary(2, '0200000061ff'), binary(0, '61ff')].map((bytes) => {
      return rawDocument([
        [0x10, '_id', int32(1)],
        [5, 'v', bytes],
      ]);
    });
    const { copy } = createRowEncoder({ ...plan, columns }).encodeBatch(rawArray(documents));
    assert.deepEqual(
      decodeRows(copy, plan).map(({ v, _extra }) => [v, _extra]),
      [
        ['61ff', null],
        [null, `{"v":${binaryJson('Yf8=', '00')}}`],
      ],
    );
  });

  for (const [nul, kept] of [
    ['strip', 'ab'],
    ['replace', 'a\ufffdb'],
  ] as const) {
    it(`of text accepts a NUL with the policy ${nul}, and an _id does not`, () => {
      const plan = { ...makePlan({ _id: 'string', v: 'string', s: 'symbol' }), nul };
      const documents = ['id', 'i\0d'].map((id) => {
        return rawDocument([
          [2, '_id', rawString(id)],
          [2, 'v', rawString('a\0b')],
          [14, 's', rawString('a\0b')],
          [2, 'w', rawString('a\0b')],
        ]);
      });
      const { copy, deadLetters } = createRowEncoder(plan).encodeBatch(rawArray(documents));
      assert.deepEqual(decodeRows(copy, plan), [{ _id: 'id', v: kept, s: kept, _extra: `{"w":"${kept}"}` }]);
      assert.deepEqual(
        deadLetters.map(({ ordinal, reason, column, id }) => [ordinal, reason, column, id]),
        [[1, 'nul', '_id', null]],
      );
    });
  }

  it('of decimal rejects a double as an _id that could equal a Decimal128', () => {
    const plan = makePlan({ _id: 'decimal' });
    const ids: [number, Buffer][] = [
      [0x13, decimal('0.1')],
      [1, double(0.1)],
      [1, double(2 ** 63)],
      [1, double(1e300)],
      [1, double(NaN)],
    ];
    const documents = ids.map(([type, bytes]) => rawDocument([[type, '_id', bytes]]));
    const { copy, deadLetters } = createRowEncoder(plan).encodeBatch(rawArray(documents));
    assert.deepEqual(
      decodeRows(copy, plan).map(({ _id }) => _id),
      ['0.1', '9223372036854775808', 'NaN'],
    );
    assert.deepEqual(
      deadLetters.map(({ ordinal, reason, id }) => [ordinal, reason, id]),
      [
        [1, 'id_type', '{"$numberDouble":"0.1"}'],
        [3, 'id_type', '{"$numberDouble":"1e+300"}'],
      ],
    );
  });
});
