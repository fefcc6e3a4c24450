import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readMemory } from '../../src/memory.ts';

it('readMemory tells how much this process has, and at most had', () => {
  const size = 64e6;
  const before = readMemory();
  const block = Buffer.alloc(size, 1);
  const during = readMemory();
  assert.equal(block.at(-1), 1);
  assert.ok(during.rssBytes > before.rssBytes + 0.9 * size, `${before.rssBytes} and ${during.rssBytes}`);
  assert.ok(during.peakRssBytes >= during.rssBytes, `${during.peakRssBytes} and ${during.rssBytes}`);
});
