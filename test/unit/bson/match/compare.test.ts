/** The order of BSON values: across types, within each type, and exactly between the four types of numbers. */
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
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
} from 'bson';
import { findValue } from '../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../src/bson/cursor.ts';
import type { RawValue } from '../../../../src/bson/raw-value.ts';
import { compareRaw } from '../../../../src/bson/match/compare.ts';
import fc from '../../../support/fast-check.ts';

function encode(value: unknown): RawValue {
  const found = findValue(
    Buffer.from(serialize({ v: value }, { ignoreUndefined: false })),
    0,
    guessName('v'),
  );
  assert.ok(found !== undefined);
  return found;
}

function compare(a: unknown, b: unknown): number {
  return Math.sign(compareRaw(encode(a), encode(b)));
}

/** Each list ascends; values in brackets are equal. */
function assertAscending(groups: readonly (readonly unknown[])[]): void {
  for (const [indexA, groupA] of groups.entries()) {
    for (const [indexB, groupB] of groups.entries()) {
      for (const a of groupA) {
        for (const b of groupB) {
          assert.equal(compare(a, b), Math.sign(indexA - indexB), `${String(a)} with ${String(b)}`);
        }
      }
    }
  }
}

const decimal = (text: string) => Decimal128.fromString(text);

describe('compareRaw', () => {
  it('orders the types as the manual lists them', () => {
    assertAscending([
      [new MinKey()],
      [null],
      [new Int32(5), new Double(5), Long.fromNumber(5), decimal('5')],
      ['a', new BSONSymbol('a')],
      [{ a: 1 }],
      [[1]],
      [new Binary(Buffer.from('a'))],
      [new ObjectId('0123456789abcdef01234567')],
      [false],
      [true],
      [new Date(0)],
      [new Timestamp({ t: 0, i: 1 })],
      [new BSONRegExp('a')],
      [new Code('a')],
      [new Code('a', {})],
      [new MaxKey()],
    ]);
  });

  it('compares numbers of different types exactly', () => {
    assertAscending([
      [new Double(Number.NaN), decimal('NaN')],
      [new Double(-Infinity), decimal('-Infinity')],
      [decimal('-1E+6000')],
      [new Double(-Number.MAX_VALUE)],
      [Long.MIN_VALUE, new Double(-(2 ** 63))],
      [new Int32(-1), new Double(-1)],
      [decimal('-1E-6000')],
      [new Double(-0), new Int32(0), Long.ZERO, decimal('-0'), decimal('0E+3')],
      [decimal('1E-6000')],
      [new Double(5e-324)],
      [decimal('0.1')],
      // The double nearest to 0.1 is a little more than 0.1.
      [new Double(0.1)],
      [new Double(0.5), decimal('0.50')],
      [Long.fromString('9007199254740992'), new Double(2 ** 53)],
      [Long.fromString('9007199254740993'), decimal('9007199254740993')],
      [decimal('9007199254740993.5')],
      [Long.fromString('9007199254740994'), new Double(2 ** 53 + 2)],
      [Long.MAX_VALUE],
      [new Double(2 ** 63), decimal('9223372036854775808')],
      [decimal('1E+400')],
      [new Double(Infinity), decimal('Infinity')],
    ]);
  });

  it('compares strings by their UTF-8 bytes', () => {
    // U+FF5E sorts before U+1F600 in UTF-8, but after it in UTF-16.
    assertAscending([[''], ['A'], ['a'], ['a\0'], ['aa'], ['b'], ['é'], ['～'], ['😀']]);
  });

  it('compares binary data by length, then subtype as an unsigned byte, then bytes', () => {
    assertAscending([
      [new Binary(Buffer.from([255]), 0)],
      [new Binary(Buffer.from([0, 255]), 0)],
      [new Binary(Buffer.from([1, 0]), 0)],
      [new Binary(Buffer.from([0, 0]), 5)],
      [new Binary(Buffer.from([0, 0]), 128)],
    ]);
  });

  it('compares documents field by field: type, then name, then value', () => {
    assertAscending([
      [{}],
      [{ z: 1 }],
      [{ z: 2 }],
      [{ z: 2, a: null }],
      [{ a: 'x' }],
      [{ a: 'y' }],
      [{ b: 'x' }],
      [{ a: { b: 1 } }],
      [{ a: [] }],
    ]);
    assertAscending([[[]], [[1]], [[1, 1]], [[2]], [['a']]]);
  });

  it('compares dates as signed, timestamps as unsigned', () => {
    assertAscending([[new Date(-1)], [new Date(0)], [new Date(8.64e15)]]);
    assertAscending([
      [new Timestamp({ t: 1, i: 4294967295 })],
      [new Timestamp({ t: 2, i: 0 })],
      [new Timestamp({ t: 4294967295, i: 0 })],
    ]);
  });

  it('compares ObjectIds by all of their bytes', () => {
    assertAscending([
      [new ObjectId('000000000000000000000001')],
      [new ObjectId('7fffffff0000000000000000')],
      [new ObjectId('800000000000000000000000')],
      [new ObjectId('800000000000000100000000')],
      [new ObjectId('ffffffffffffffffffffffff')],
    ]);
  });

  it('compares regular expressions by pattern, then options, and code by text, then scope', () => {
    assertAscending([
      [new BSONRegExp('a')],
      [new BSONRegExp('a', 'i')],
      [new BSONRegExp('ab')],
      [new BSONRegExp('b')],
    ]);
    assertAscending([[new Code('a', { a: 1 })], [new Code('a', { a: 2 })], [new Code('b', {})]]);
  });

  it('compares a DBRef as a document', () => {
    assert.equal(compare(new DBRef('a', new ObjectId()), {}), 1);
  });

  it('agrees with exact arithmetic on any integers and doubles', () => {
    const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(long, long, (a, b) => {
        const expected = a < b ? -1 : a > b ? 1 : 0;
        assert.equal(compare(Long.fromBigInt(a), Long.fromBigInt(b)), expected);
        const double = Number(b);
        const exact = BigInt(double);
        const expectedDouble = a < exact ? -1 : a > exact ? 1 : 0;
        assert.equal(compare(Long.fromBigInt(a), new Double(double)), expectedDouble);
        assert.equal(compare(new Double(double), decimal(a.toString())), -expectedDouble + 0);
      }),
    );
  });
});
