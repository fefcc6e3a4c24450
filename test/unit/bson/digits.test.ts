import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { writeInt64, writeInteger, writeNumber } from '../../../src/bson/digits.ts';
import { Output } from '../../../src/bson/output.ts';
import fc from '../../support/fast-check.ts';

function write(by: (output: Output) => void): string {
  const output = new Output(1);
  by(output);
  return output.bytes.toString('latin1', 0, output.position);
}

describe('digits', () => {
  it('are those of any safe integer', () => {
    const near = fc
      .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: -2, max: 2 }))
      .map(([power, offset]) => 10 ** power + offset);
    const edges = fc.constantFrom(
      0,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    );
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), near, edges), (value) => {
        assert.equal(
          write((output) => {
            writeInteger(value, output);
          }),
          String(value),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('are those of any int64', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const view = new DataView(new ArrayBuffer(8));
        view.setBigInt64(0, value, true);
        assert.equal(
          write((output) => {
            writeInt64(view, 0, output);
          }),
          String(value),
        );
      }),
    );
  });

  it('equal toString of a number, with few or many decimal places', () => {
    const decimal = fc
      .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 20 }))
      .map(([digits, places]) => Number(`${digits}e-${places}`));
    const short = fc
      .tuple(fc.integer({ min: -1e6, max: 1e6 }), fc.integer({ min: 0, max: 8 }))
      .map(([digits, places]) => digits / 10 ** places);
    const beside = short.map((value) => value * (1 + Number.EPSILON));
    const edges = fc.constantFrom(
      1e-6,
      1.5e-6,
      1e-7,
      0.1 + 0.2,
      999_999_999.999999,
      1_000_000_000.5,
      1e21,
      5e-324,
    );
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.oneof(decimal, short, beside, edges, finite), (value) => {
        fc.pre(!Object.is(value, -0));
        assert.equal(
          write((output) => {
            writeNumber(value, output);
          }),
          String(value),
        );
      }),
      { numRuns: 5000 },
    );
  });
});
