import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, it } from 'node:test';
import { wrapBytes } from '../../../src/bson/cursor.ts';
import { DocumentError } from '../../../src/bson/document-error.ts';
import { writeJsonString } from '../../../src/bson/json/json-string.ts';
import { Output } from '../../../src/bson/output.ts';
import { copyText } from '../../../src/bson/utf8.ts';
import { nulPolicies, type NulPolicy } from '../../../src/bson/nul-policy.ts';
import fc from '../../support/fast-check.ts';

/**
 * The output for a text within other bytes, which would complete a truncated sequence; or the
 * reason it is not.
 */
function write(by: typeof copyText, text: Buffer, nul: NulPolicy): Buffer | string {
  const output = new Output(1);
  const within = Buffer.concat([Buffer.of(0xe2, 0x82), text, Buffer.of(0x80, 0x80, 0x80)]);
  try {
    by(wrapBytes(within), 2, 2 + text.length, output, nul);
  } catch (error) {
    assert.ok(error instanceof DocumentError);
    assert.ok(error.offset >= 2 && error.offset < 2 + text.length);
    return error.reason;
  }
  return Buffer.from(output.bytes.subarray(0, output.position));
}

/** Bytes that form many valid, or nearly valid, sequences. */
const lead = fc.constantFrom(
  0x00,
  0x22,
  0x41,
  0x5c,
  0x7f,
  0xc1,
  0xc2,
  0xdf,
  0xe0,
  0xe1,
  0xed,
  0xef,
  0xf0,
  0xf1,
  0xf4,
  0xf5,
  0xff,
);
const continuation = fc.constantFrom(0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0);
const sequence = fc
  .tuple(fc.oneof(lead, fc.constant(0x41)), fc.array(continuation, { maxLength: 3 }))
  .map(([first, rest]) => Buffer.of(first, ...rest));
const whole = fc.string({ unit: 'binary', maxLength: 3 }).map((text) => Buffer.from(text));
const bytes = fc.array(fc.oneof(sequence, whole), { maxLength: 3 }).map((parts) => Buffer.concat(parts));

for (const [name, by] of [
  ['copyText', copyText],
  ['writeJsonString', writeJsonString],
] as const) {
  describe(name, () => {
    for (const nul of nulPolicies) {
      it(`accepts only valid UTF-8, in short and long texts: ${nul} NUL`, () => {
        fc.assert(
          fc.property(bytes, fc.constantFrom(0, 1, 2, 3, 5, 200, 202), (part, padding) => {
            const text = Buffer.concat([Buffer.alloc(padding, 'p'), part]);
            const written = write(by, text, nul);
            const isTaken = isUtf8(text) && (nul !== 'reject' || !text.includes(0));
            if (isTaken) {
              const kept = text.toString().replaceAll('\0', nul === 'replace' ? '\ufffd' : '');
              assert.ok(typeof written !== 'string');
              assert.equal(written.toString(), by === copyText ? kept : JSON.stringify(kept));
            } else {
              const reasons = [
                ...(isUtf8(text) ? [] : ['invalid_utf8']),
                ...(nul === 'reject' ? ['nul'] : []),
              ];
              assert.ok(typeof written === 'string' && reasons.includes(written), String(written));
            }
          }),
          { numRuns: 5000 },
        );
      });
    }

    it('handles each character alike at any position', () => {
      for (let code = 1; code < 0x100; code++) {
        for (let at = 0; at < 9; at++) {
          const text = `${'~'.repeat(at)}${String.fromCharCode(code)}${' '.repeat(8 - at)}`;
          const written = write(by, Buffer.from(text), 'reject');
          assert.equal(String(written), by === copyText ? text : JSON.stringify(text));
        }
      }
    });

    it('grows for many replaced characters', () => {
      const written = write(by, Buffer.alloc(10_000), 'replace');
      assert.equal(written.toString().replaceAll('"', ''), '\ufffd'.repeat(10_000));
    });
  });
}
