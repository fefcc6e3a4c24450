/** Where PCRE and JavaScript differ, the behaviour of PCRE, according to pcre2pattern(3). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UnsupportedError } from '../../../../src/bson/match/errors.ts';
import { translateRegex } from '../../../../src/bson/match/pcre.ts';

const matching: readonly (readonly [pattern: string, flags: string, text: string])[] = [
  ['^.$', '', '😀'],
  ['^.$', '', '\r'],
  ['^.$', '', '\u2028'],
  ['^.$', 's', '\n'],
  ['end$', '', 'the end\n'],
  ['^b$', 'm', 'a\nb\nc'],
  ['^$', 'm', 'a\n\nb'],
  ['^É', 'i', 'école'],
  ['a\\sb', '', 'a\tb'],
  ['[\\s-]', '', '-'],
  ['\\"\\-\\@\\ \\_', '', '"-@ _'],
  ['[.^$]', '', '$'],
  ['\\.', '', '.'],
  ['\\p{L}', '', 'ж'],
  ['\\é\\😀', '', 'é😀'],
];
const other: readonly (readonly [pattern: string, flags: string, text: string])[] = [
  ['^.$', '', '\n'],
  ['end$', '', 'the end\n\n'],
  ['^b', '', 'a\nb'],
  ['^b', 'm', 'a\rb'],
  ['^$', 'm', 'a\n'],
  ['\\s', '', '\u00a0'],
  ['^\\S', '', ' '],
  ['\\.', '', 'a'],
];
const refused = [
  ...['\\Astart', 'end\\z', '(?i)a', '(?i:a)', 'a++', '(?>a)', '[[:alpha:]]', '[]a]', '[^]a]', '(?P<n>a)'],
  ...['\\Qa\\E', '\\h', '\\v', '(a)?\\1', '(?#c)a', '(a', '[\\S]', '\\u0041', '(*UCP)a'],
];

describe('translateRegex', () => {
  it('matches what PCRE does', () => {
    for (const [pattern, flags, text] of matching) {
      assert.ok(translateRegex(pattern, flags).test(text), `/${pattern}/${flags} ${JSON.stringify(text)}`);
    }
    for (const [pattern, flags, text] of other) {
      assert.ok(!translateRegex(pattern, flags).test(text), `/${pattern}/${flags} ${JSON.stringify(text)}`);
    }
  });

  it('refuses patterns without an equivalent', () => {
    for (const pattern of refused) {
      assert.throws(() => translateRegex(pattern, ''), UnsupportedError, pattern);
    }
    assert.throws(() => translateRegex('a', 'x'), UnsupportedError);
  });
});
