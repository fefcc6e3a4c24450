import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatCount } from '../../../src/common/format.ts';

describe('formatCount', () => {
  it('separates thousands as the locale en-US does', () => {
    for (let power = 0; power <= 15; power++) {
      for (const count of [10 ** power - 1, 10 ** power, 10 ** power + 1, -(10 ** power)]) {
        assert.equal(formatCount(count), count.toLocaleString('en-US'));
      }
    }
  });

  it('rounds to a whole number', () => {
    assert.equal(formatCount(1234.5), '1,235');
    assert.equal(formatCount(-0.4), '0');
  });
});
