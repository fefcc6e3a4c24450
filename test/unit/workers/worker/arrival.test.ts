import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeArrival } from '../../../../src/workers/worker/arrival.ts';

describe('describeArrival', () => {
  it('counts a wait as transit from the moment of sending on, and not before', () => {
    const moments = { idleSinceMs: 100, sentAtMs: 130, receivedAtMs: 137, startedAtMs: 138 };
    assert.deepEqual(describeArrival(moments), { startedAtMs: 138, ipcMs: 7, idleMs: 38, handOverMs: 8 });
  });

  it('counts no transit for a batch that arrived while the worker was busy', () => {
    const moments = { idleSinceMs: 100, sentAtMs: 20, receivedAtMs: 60, startedAtMs: 100 };
    assert.deepEqual(describeArrival(moments), { startedAtMs: 100, ipcMs: 40, idleMs: 0, handOverMs: 0 });
  });
});
