import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decimal128 } from 'bson';
import { Decimal, writeDecimal } from '../../../src/bson/decimal128.ts';
import { Output } from '../../../src/bson/output.ts';
import { decimal } from '../../support/arbitrary-bson.ts';
import fc from '../../support/fast-check.ts';

function write(bytes: Uint8Array): string {
  const read = new Decimal();
  read.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
  const output = new Output(1);
  writeDecimal(read, output);
  return output.bytes.toString('latin1', 0, output.position);
}

/** The bytes of the sign and exponent bits, and of the 113 or fewer bits below. */
function assemble(high: bigint, low: bigint): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(low & (2n ** 64n - 1n));
  bytes.writeBigUInt64LE(high | (low >> 64n), 8);
  return bytes;
}

const exponentZero = 6176n << 49n;

describe('a Decimal128', () => {
  it('has the text that js-bson gives it', () => {
    fc.assert(
      fc.property(decimal, (value) => {
        assert.equal(write(value.bytes), value.toString());
      }),
      { numRuns: 5000 },
    );
  });

  for (const text of [
    '0',
    '-0',
    '0.00',
    '0E+3',
    '0E-6176',
    '1E-6176',
    '0.000001',
    '1E-7',
    '9999999999999999999999999999999999',
    '9.999999999999999999999999999999999E+6144',
    '-1.000000000000000000000000000000000E-6143',
    '1.0',
    '100',
    '1E+2',
    'NaN',
    'Infinity',
    '-Infinity',
  ]) {
    it(`is written as ${text}`, () => {
      assert.equal(write(Decimal128.fromString(text).bytes), text);
    });
  }

  it('is NaN whatever its sign and payload', () => {
    assert.equal(write(assemble(0xfe00_0000_0000_0000n, 77n)), 'NaN');
    assert.equal(write(assemble(0x7c00_0000_0000_0000n, 0n)), 'NaN');
  });

  it('is zero when its significand has more than 34 digits, as the standard has it', () => {
    assert.equal(write(assemble(exponentZero, 10n ** 34n - 1n)), '9'.repeat(34));
    assert.equal(write(assemble(exponentZero, 10n ** 34n)), '0');
    assert.equal(write(assemble(exponentZero, 2n ** 113n - 1n)), '0');
    // The form with a leading 8 or 9, of which no significand is small enough.
    assert.equal(write(assemble(0x6000_0000_0000_0000n | (6176n << 47n), 1n)), '0');
    assert.equal(write(assemble(0xe000_0000_0000_0000n | (6173n << 47n), 1n)), '-0.000');
  });
});
