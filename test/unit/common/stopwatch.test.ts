import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Stopwatch } from '../../../src/common/stopwatch.ts';

it('Stopwatch assigns each step the time since the one before it, and adds up repeated steps', () => {
  let nowMs = 100;
  const watch = new Stopwatch<'claim' | 'copy' | 'commit'>(() => nowMs);
  for (const [step, ms] of [
    ['claim', 2],
    ['copy', 30],
    ['claim', 5],
  ] as const) {
    nowMs += ms;
    watch.lap(step);
  }
  nowMs += 1000;
  assert.deepEqual([watch.ms('claim'), watch.ms('copy'), watch.ms('commit')], [7, 30, 0]);
});
