import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { maxReadCharacters, showValues } from '../../../../src/postgres/compare/shown-values.ts';

describe('showValues', () => {
  it('shows short values as they are', () => {
    assert.deepEqual(showValues({ expected: 'a', actual: 'b' }), { expected: 'a', actual: 'b' });
    assert.deepEqual(showValues({ expected: null, actual: '' }), { expected: null, actual: '' });
  });

  it('shows the place where long values differ', () => {
    const same = 'x'.repeat(5_000);
    const { expected, actual } = showValues({
      expected: `${same}old${'y'.repeat(900)}`,
      actual: `${same}new`,
    });
    assert.equal(expected, `…${'x'.repeat(40)}old${'y'.repeat(157)}…`);
    assert.equal(actual, `…${'x'.repeat(40)}new`);
  });

  it('truncates a value without a counterpart', () => {
    const value = 'x'.repeat(300);
    assert.deepEqual(showValues({ expected: value, actual: null }), {
      expected: `${'x'.repeat(200)}…`,
      actual: null,
    });
  });

  it('says if they differ only behind the part that was read', () => {
    const value = 'x'.repeat(maxReadCharacters);
    const shown = `${'x'.repeat(200)}… (the first 10000 characters are the same)`;
    assert.deepEqual(showValues({ expected: value, actual: value }), { expected: shown, actual: shown });
  });
});
