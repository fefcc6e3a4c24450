import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../../src/common/clock.ts';
import { TimeShare } from '../../../src/common/time-share.ts';

class SetClock implements Clock {
  ms = 1_000;
  nowMs(): number {
    return this.ms;
  }
  after(): () => void {
    throw new Error('nothing is waited for');
  }
}

describe('a share of the time', () => {
  it('pauses as long as its work took, in proportion to the share', async () => {
    const clock = new SetClock();
    const share = new TimeShare(0.1, true, clock);
    assert.equal(share.isDue(0), true);
    const result = await share.do(() => {
      clock.ms += 50;
      return Promise.resolve('done');
    });
    assert.equal(result, 'done');
    clock.ms += 499;
    assert.equal(share.isDue(0), false);
    clock.ms += 1;
    assert.equal(share.isDue(0), true);
    assert.equal(share.isDue(501), false, 'the least pause has not passed');
  });

  it('can be told how long its work took', () => {
    const clock = new SetClock();
    const share = new TimeShare(0.1, true, clock);
    clock.ms += 5_000;
    share.done(20);
    clock.ms += 199;
    assert.equal(share.isDue(0), false);
    clock.ms += 1;
    assert.equal(share.isDue(0), true);
  });

  it('can begin with a pause', () => {
    const clock = new SetClock();
    const share = new TimeShare(0.1, false, clock);
    clock.ms += 99;
    assert.equal(share.isDue(100), false);
    clock.ms += 1;
    assert.equal(share.isDue(100), true);
  });

  it('is due as before when its work fails', async () => {
    const share = new TimeShare(0.1, true, new SetClock());
    await assert.rejects(
      share.do(() => Promise.reject(new Error('refused'))),
      /refused/,
    );
    assert.equal(share.isDue(1_000_000), true);
  });
});
