import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RunMeter } from '../../../src/observe/run-meter.ts';
import { createAck } from '../../support/acks.ts';

function createMeter() {
  const clock = { ms: 1000, nowMs: () => clock.ms };
  const processors = { busyMs: 0, idleMs: 0 };
  return { clock, processors, meter: new RunMeter('cluster', clock, () => ({ ...processors })) };
}

describe('RunMeter', () => {
  it('counts the wait for each page as reading, and not the work on a page', async () => {
    const { clock, meter } = createMeter();
    const page = async (ms: number): Promise<number> => {
      await Promise.resolve();
      clock.ms += ms;
      return ms;
    };
    meter.beginLoad();
    for (const ms of [10, 20, 5]) {
      assert.equal(await meter.time('read', page(ms)), ms);
      clock.ms += 100;
    }
    const { readMs, loadMs } = meter.measure();
    assert.deepEqual({ readMs, loadMs }, { readMs: 35, loadMs: 335 });
  });

  it('distinguishes throttling of readers from waiting', async () => {
    const { clock, meter } = createMeter();
    meter.beginLoad(2, () => 60);
    await meter.time(
      'read',
      Promise.resolve().then(() => {
        clock.ms += 100;
      }),
    );
    const { readMs, heldMs } = meter.measure();
    assert.deepEqual({ readMs, heldMs }, { readMs: 20, heldMs: 30 });
  });

  it('does not count the time that a worker spends on other runs', () => {
    const { clock, meter } = createMeter();
    meter.beginLoad();
    meter.onReady('7');
    clock.ms += 100;
    meter.onAckOfOther('7', createAck({ transcodeMs: 10, loadMs: 20 }));
    meter.onAck('7', createAck({ transcodeMs: 5, loadMs: 25 }));
    const [worker] = meter.measure().workers;
    assert.deepEqual([worker?.readyMs, worker?.idleMs, worker?.batches], [70, 40, 1]);
  });

  it('takes the average of what several readers waited at the same time', async () => {
    const { clock, meter } = createMeter();
    meter.beginLoad(2);
    let makeRoom: () => void = () => undefined;
    const first = meter.time('room', new Promise<void>((resolve) => (makeRoom = resolve)));
    clock.ms += 10;
    const second = meter.time('room', Promise.resolve());
    clock.ms += 20;
    makeRoom();
    await Promise.all([first, second]);
    assert.equal(meter.measure().roomMs, (30 + 20) / 2);
  });

  it('counts waits for capacity and for the last acks, including failed ones', async () => {
    const { clock, meter } = createMeter();
    const passing = async (ms: number): Promise<void> => {
      await Promise.resolve();
      clock.ms += ms;
    };
    await meter.time('room', passing(7));
    await meter.time('room', passing(8));
    const failing = passing(9).then(() => Promise.reject(new Error('disk full')));
    await assert.rejects(meter.time('drain', failing), /disk full/);
    const { roomMs, drainMs } = meter.measure();
    assert.deepEqual({ roomMs, drainMs }, { roomMs: 15, drainMs: 9 });
  });

  it('counts the time of a worker that was ready before the load from the beginning of the load', () => {
    const { clock, meter } = createMeter();
    meter.onReady('7');
    clock.ms += 50;
    meter.beginLoad();
    clock.ms += 100;
    const { loadMs, workers } = meter.measure();
    assert.deepEqual([loadMs, ...workers.map(({ readyMs }) => readyMs)], [100, 100]);
  });

  it('adds up what a worker reports, and counts the rest of its time as idle', () => {
    const { clock, meter } = createMeter();
    meter.beginLoad();
    meter.onReady('7');
    clock.ms += 100;
    const steps = { claimMs: 1, copyMs: 20, commitMs: 3 };
    const arrival = { startedAtMs: 1000, ipcMs: 2, idleMs: 6, handOverMs: 4 };
    meter.onAck('7', createAck({ transcodeMs: 5, loadMs: 24, steps, arrival, peakMemoryBytes: 80 }));
    meter.onAck('7', createAck({ transcodeMs: 5, loadMs: 26, steps, arrival, peakMemoryBytes: 90 }));
    assert.deepEqual(meter.measure().workers, [
      {
        id: '7',
        batches: 2,
        readyMs: 100,
        transcodeMs: 10,
        loadMs: 50,
        claimMs: 2,
        copyMs: 40,
        commitMs: 6,
        idleMs: 40,
        handOverMs: 8,
        ipcMs: 4,
        peakMemoryBytes: 90,
      },
    ]);
  });

  it('ends the time of a worker with it, and begins again if it is ready again', () => {
    const { clock, meter } = createMeter();
    meter.onReady('7');
    clock.ms += 100;
    meter.onGone('7');
    clock.ms += 1000;
    assert.equal(meter.measure().workers[0]?.readyMs, 100);
    meter.onReady('7');
    clock.ms += 10;
    assert.equal(meter.measure().workers[0]?.readyMs, 110);
  });

  it('does not count a worker that was never ready', () => {
    const { meter } = createMeter();
    meter.onGone('7');
    assert.deepEqual(meter.measure().workers, []);
  });

  it('measures the processors over the load alone, and nothing after its end', () => {
    const { clock, processors, meter } = createMeter();
    processors.busyMs = 5000;
    meter.beginLoad();
    meter.onReady('7');
    processors.busyMs += 75;
    processors.idleMs += 25;
    clock.ms += 100;
    meter.endLoad();
    processors.idleMs += 1000;
    clock.ms += 1000;
    const { processorShare, loadMs, workers } = meter.measure();
    assert.deepEqual([processorShare, loadMs, workers[0]?.readyMs], [0.75, 100, 100]);
  });
});
