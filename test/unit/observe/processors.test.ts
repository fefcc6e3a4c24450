import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readProcessorTimes, shareBetween } from '../../../src/observe/processors.ts';

describe('shareBetween', () => {
  it('is the busy part of the time that passed', () => {
    assert.equal(shareBetween({ busyMs: 100, idleMs: 500 }, { busyMs: 190, idleMs: 510 }), 0.9);
  });

  it('is null if no time has passed, or it is unknown', () => {
    const times = readProcessorTimes();
    assert.equal(shareBetween(times, times), null);
  });
});

it('readProcessorTimes reads those of this machine', () => {
  const { busyMs, idleMs } = readProcessorTimes();
  assert.ok(busyMs > 0 && idleMs >= 0, `${busyMs} and ${idleMs}`);
});
