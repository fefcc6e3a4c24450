import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Throttle } from '../../../../src/source/reading/throttle.ts';
import { TickingClock } from '../../../support/ticking-clock.ts';

/** Reads pages for a while. @returns how many */
async function readFor(
  clock: TickingClock,
  throttle: Throttle,
  ms: number,
  page: { documents: number; bytes: number; readMs: number },
): Promise<number> {
  const endMs = clock.nowMs() + ms;
  let pages = 0;
  const over = new AbortController();
  const reader = async (): Promise<void> => {
    for (;;) {
      await throttle.wait(over.signal);
      pages++;
      clock.pass(page.readMs);
      throttle.charge(page);
      // As waiting for a page takes a turn, even for one that is ready.
      await Promise.resolve();
      if (clock.nowMs() >= endMs) return;
    }
  };
  const reading = reader();
  while (clock.nowMs() < endMs) {
    await new Promise(setImmediate);
    clock.pass(1);
  }
  over.abort();
  clock.pass(1_000);
  await reading.catch((error: unknown) => {
    assert.equal(error, over.signal.reason);
  });
  return pages;
}

const page = { documents: 100, bytes: 50_000, readMs: 10 };

describe('Throttle', () => {
  it('does not throttle without a limit', async () => {
    const clock = new TickingClock();
    const throttle = new Throttle(clock);
    throttle.charge(page);
    await throttle.wait(new AbortController().signal);
    assert.ok(clock.isIdle);
    assert.equal(throttle.limitPage(20_000, 500), 20_000);
  });

  for (const [rate, perSecond] of [
    [{ unit: 'documents', perSecond: 1_000 }, 10],
    [{ unit: 'bytes', perSecond: 1_000_000 }, 20],
  ] as const) {
    it(`keeps to a rate of ${rate.perSecond} ${rate.unit} a second`, async () => {
      const clock = new TickingClock();
      const throttle = new Throttle(clock);
      throttle.setRate(rate);
      const pages = await readFor(clock, throttle, 20_000, page);
      // The first second may be read immediately.
      assert.ok(pages >= perSecond * 19 && pages <= perSecond * 21 + 1, `${pages} pages`);
    });
  }

  it('does not catch up after a long pause', async () => {
    const clock = new TickingClock();
    const throttle = new Throttle(clock);
    throttle.setRate({ unit: 'documents', perSecond: 1_000 });
    throttle.charge(page);
    clock.pass(60_000);
    const pages = await readFor(clock, throttle, 5_000, page);
    assert.ok(pages <= 61, `${pages} pages`);
  });

  it('has the source read for a share of the time', async () => {
    const clock = new TickingClock();
    const throttle = new Throttle(clock);
    throttle.setShare(0.25);
    const pages = await readFor(clock, throttle, 20_000, page);
    assert.ok(pages >= 460 && pages <= 501, `${pages} pages of 10 ms in 20 s`);
  });

  it('releases waiting readers when the limit is lifted, and when they are stopped', async () => {
    const clock = new TickingClock();
    const throttle = new Throttle(clock);
    for (const end of ['lifted', 'stopped'] as const) {
      const stop = new AbortController();
      throttle.setRate({ unit: 'documents', perSecond: 1 });
      throttle.charge({ ...page, documents: 3_600 });
      let how = 'waits';
      const waiting = throttle.wait(stop.signal).then(
        () => (how = 'lifted'),
        () => (how = 'stopped'),
      );
      clock.pass(1_000);
      await new Promise(setImmediate);
      assert.equal(how, 'waits');
      if (end === 'lifted') throttle.setRate(null);
      else stop.abort();
      clock.pass(100);
      await waiting;
      assert.equal(how, end);
    }
  });

  it('limits pages to what may be read in a second', () => {
    const throttle = new Throttle(new TickingClock());
    throttle.setRate({ unit: 'documents', perSecond: 50 });
    assert.equal(throttle.limitPage(20_000, 500), 50);
    assert.equal(throttle.limitPage(20, 500), 20);
    throttle.setRate({ unit: 'bytes', perSecond: 1_000_000 });
    assert.equal(throttle.limitPage(20_000, 0), 20_000, 'what a document has is not known yet');
    assert.equal(throttle.limitPage(20_000, 500), 2_000);
    assert.equal(throttle.limitPage(20_000, 16_000_000), 1);
  });
});
