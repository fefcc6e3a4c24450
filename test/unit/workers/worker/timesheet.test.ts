import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Timesheet } from '../../../../src/workers/worker/timesheet.ts';

function createTimesheet(): { readonly sheet: Timesheet; readonly pass: (ms: number) => void } {
  let nowMs = 1000;
  return { sheet: new Timesheet(() => nowMs), pass: (ms) => (nowMs += ms) };
}

describe('Timesheet', () => {
  it('reports the time of a single batch, and not the time without one', () => {
    const { sheet, pass } = createTimesheet();
    pass(500);
    sheet.receive();
    assert.equal(sheet.idleSinceMs, 1000);
    sheet.begin();
    pass(30);
    sheet.load();
    pass(70);
    assert.deepEqual(sheet.take(), { transcodeMs: 30, loadMs: 70, stalledMs: 0 });
    sheet.finish();
    pass(10);
    assert.equal(sheet.idleSinceMs, 1600);
    assert.deepEqual(sheet.take(), { transcodeMs: 0, loadMs: 0, stalledMs: 0 });
  });

  it('counts each moment once, with parallel work', () => {
    const { sheet, pass } = createTimesheet();
    sheet.receive();
    sheet.receive();
    sheet.receive();
    sheet.begin();
    pass(10);
    sheet.load();
    sheet.begin();
    pass(10);
    sheet.load();
    // Two are with Postgres, and the third has no connection.
    pass(40);
    assert.deepEqual(sheet.take(), { transcodeMs: 20, loadMs: 40, stalledMs: 40 });
    sheet.finish();
    sheet.begin();
    pass(10);
    sheet.load();
    pass(5);
    assert.deepEqual(sheet.take(), { transcodeMs: 10, loadMs: 5, stalledMs: 0 });
  });

  it('is idle after a batch without rows', () => {
    const { sheet, pass } = createTimesheet();
    sheet.receive();
    pass(7);
    sheet.begin();
    sheet.giveUp();
    assert.equal(sheet.idleSinceMs, 1007);
  });
});
