import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import {
  PeakPss,
  listChildren,
  readAnonymous,
  readRollup,
  sumPss,
} from '../../../../scripts/bench/memory.ts';

const isLinux = process.platform === 'linux';
const megabytes = 40;
/** Fills its memory, says so, and ends when its input does. */
const program = `const full = Buffer.alloc(${megabytes} * 1e6, 1); process.stdin.resume(); console.log(full.length);`;

async function startFull(t: TestContext): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  t.after(async () => {
    child.stdin.end();
    await gone;
  });
  await once(child.stdout, 'data');
  return child;
}

describe('memory of processes', { skip: !isLinux && 'there is no /proc' }, () => {
  it('is read of the process itself', () => {
    const before = readRollup(process.pid, 'Rss');
    assert.ok(before > 10e6, `${before}`);
    const full = Buffer.alloc(megabytes * 1e6, 1);
    assert.ok(readRollup(process.pid, 'Pss') > full.length);
    assert.ok(readRollup(process.pid, 'Pss') <= readRollup(process.pid, 'Rss'));
  });

  it('is 0 for a missing one', () => {
    assert.equal(readRollup(2 ** 30, 'Pss'), 0);
    assert.equal(readAnonymous(2 ** 30), 0);
    assert.deepEqual(listChildren(2 ** 30), []);
  });

  it('is anonymous in part: what it has filled is, its program is not', () => {
    const full = Buffer.alloc(megabytes * 1e6, 1);
    const anonymous = readAnonymous(process.pid);
    assert.ok(anonymous > full.length);
    // By how much is up to the system, which may reclaim pages of the program.
    assert.ok(anonymous < readRollup(process.pid, 'Rss'), `${anonymous}`);
  });

  it('adds up a process and those below it', async (t) => {
    const child = await startFull(t);
    assert.ok(listChildren(process.pid).includes(child.pid ?? 0));
    const [own, all] = [readRollup(process.pid, 'Pss'), sumPss([process.pid])];
    assert.ok(all > own + 0.9 * megabytes * 1e6, `${own} and ${all}`);
  });

  it('has a peak of processes that were started meanwhile, and of no others', async (t) => {
    await startFull(t);
    const idle = new PeakPss();
    const busy = new PeakPss();
    assert.equal(idle.stop(), null);
    await startFull(t);
    const peak = busy.stop() ?? 0;
    assert.ok(peak > megabytes * 1e6 && peak < 2 * megabytes * 1e6 + 60e6, `${peak}`);
  });

  // Red where what is read now and then is the peak, or what changes most is not read in between.
  it('has the peak also of what is gone before the next close look', async (t) => {
    const memory = new PeakPss();
    await startFull(t);
    // It looks closely at this one, and not again for a hundred times as long as that took.
    const one = memory.stop() ?? 0;
    await startFull(t);
    const both = memory.stop() ?? 0;
    assert.ok(both > one + 0.9 * megabytes * 1e6, `${one} and ${both}`);
  });
});
