import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatMoment, ticksUpTo, timeTicksWithin } from '../../../../src/observe/report/axis.ts';

describe('ticksUpTo', () => {
  for (const [max, ticks] of [
    [4, [0, 1, 2, 3, 4]],
    [811_475, [0, 500_000, 1_000_000]],
    [12, [0, 5, 10, 15]],
    [0.03, [0, 0.01, 0.02, 0.03]],
    [0, [0, 0.5, 1]],
  ] as const) {
    it(`has round numbers from 0 to not below ${max}`, () => {
      assert.deepEqual(ticksUpTo(max, 4), ticks);
    });
  }
});

describe('timeTicksWithin', () => {
  for (const [endMs, ticks] of [
    [1, [0, 0.5, 1]],
    [2_400, [0, 1000, 2000]],
    [90_000, [0, 30_000, 60_000, 90_000]],
    [3 * 3_600_000, [0, 3_600_000, 7_200_000, 10_800_000]],
    [100 * 3_600_000, [0, 50 * 3_600_000, 100 * 3_600_000]],
  ] as const) {
    it(`has moments that people count in, up to ${endMs} ms`, () => {
      assert.deepEqual(timeTicksWithin(endMs, 3), ticks);
    });
  }
});

describe('formatMoment', () => {
  for (const [ms, text] of [
    [0, '0 s'],
    [1_250, '1.25 s'],
    [45_000, '45 s'],
    [150_000, '2:30 min'],
    [3_900_000, '1:05 h'],
    [119_600, '1:59 min'],
  ] as const) {
    it(`writes ${ms} ms as ${text}`, () => {
      assert.equal(formatMoment(ms), text);
    });
  }
});
