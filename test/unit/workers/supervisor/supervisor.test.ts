import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode, MigrationError } from '../../../../src/common/errors.ts';
import type { RunListener } from '../../../../src/observe/run-listener.ts';
import type { PoolMember } from '../../../support/scripted-pool.ts';
import {
  batchOf,
  batchOfDocuments,
  calmDown,
  createSupervisor,
  startSupervisor,
} from '../../../support/scripted-supervisor.ts';
import { someSettings } from '../../../support/worker-settings.ts';

/** Whether a promise is still pending once all queued work has run. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  await new Promise(setImmediate);
  return Promise.race([settled, Promise.resolve(true)]);
}

describe('Supervisor', () => {
  it('dispatches batches round-robin', async () => {
    const { pool, run } = startSupervisor({ size: 3 });
    for (let number = 1; number <= 6; number++) await run.submit(batchOf(number));
    assert.deepEqual(
      pool.workers.map((worker) => worker.batches),
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
    );
  });

  it('accepts no batch beyond the credit of its workers', async () => {
    const { pool, run } = startSupervisor({ size: 2 });
    for (let number = 1; number <= 4; number++) await run.submit(batchOf(number));
    const fifth = run.submit(batchOf(5));
    assert.equal(await isPending(fifth), true);
    pool.worker(1).acks(2);
    await fifth;
    assert.deepEqual(pool.worker(1).batches, [2, 4, 5]);
  });

  it('accepts no batch beyond the bytes in flight', async () => {
    const { pool, run } = startSupervisor({ maxInFlightBytes: 100 });
    await run.submit(batchOf(1, 60));
    const second = run.submit(batchOf(2, 60));
    assert.equal(await isPending(second), true);
    pool.worker(0).acks(1);
    await second;
    assert.deepEqual(pool.worker(1).batches, [2]);
  });

  it('accepts a single batch of any size', async () => {
    const { run } = startSupervisor({ maxInFlightBytes: 100 });
    await run.submit(batchOf(1, 5000));
  });

  it('accepts batches of several callers in their order, and never two if there is capacity for one', async () => {
    const { pool, supervisor, run } = startSupervisor({ size: 2, maxInFlightBytes: 100 });
    await run.submit(batchOf(1, 50));
    await run.submit(batchOf(2, 50));
    // Small ones that would fit do not pass a large one.
    const sizes = [60, 40, 50, 10];
    const taken: number[] = [];
    const waiting = sizes.map((bytes, index) =>
      run.submit(batchOf(3 + index, bytes)).then(() => taken.push(3 + index)),
    );
    const takenAfter = async (worker: number, ack: number): Promise<number[]> => {
      pool.worker(worker).acks(ack);
      await new Promise(setImmediate);
      assert.ok(supervisor.inFlight.bytes <= 100, `${supervisor.inFlight.bytes} bytes in flight`);
      return [...taken];
    };
    assert.deepEqual(await takenAfter(0, 1), []);
    assert.deepEqual(await takenAfter(1, 2), [3, 4]);
    assert.deepEqual(await takenAfter(0, 3), [3, 4, 5, 6]);
    await Promise.all(waiting);
    assert.deepEqual(supervisor.inFlight, { batches: 3, bytes: 100 });
  });

  it('drains only when every batch is acked', async () => {
    const { pool, acked, run } = startSupervisor();
    await run.submit(batchOf(1));
    await run.submit(batchOf(2));
    const drained = run.drain();
    pool.worker(0).acks(1);
    assert.equal(await isPending(drained), true);
    pool.worker(1).acks(2);
    await drained;
    assert.deepEqual(acked, [1, 2]);
  });

  it('redelivers the batches of a dead worker, before newer ones', async () => {
    const { pool, clock, acked, notices, run } = startSupervisor({ size: 1 });
    await run.submit(batchOf(1));
    await run.submit(batchOf(2));
    pool.worker(0).goes({ code: null, signal: 'SIGKILL' });
    assert.match(notices.join(), /worker 1 ended by SIGKILL/);
    calmDown(clock);
    pool.worker(1).isReady();
    assert.deepEqual(pool.worker(1).batches, [1], 'alone, as either may have been what ended it');
    pool.worker(1).acks(1);
    assert.deepEqual(pool.worker(1).batches, [1, 2]);
    pool.worker(1).acks(2);
    await run.drain();
    assert.deepEqual(acked, [1, 2]);
  });

  it('redelivers the batches of a worker that exits with code 0 as well', async () => {
    const { pool, clock, run } = startSupervisor({ size: 2 });
    await run.submit(batchOf(1));
    pool.worker(0).goes({ code: 0, signal: null });
    calmDown(clock);
    assert.deepEqual(pool.worker(1).batches, [1]);
  });

  it('does not apply an ack of an ended worker, nor a second ack', async () => {
    const { pool, clock, acked, run } = startSupervisor({ size: 2 });
    await run.submit(batchOf(1));
    const [dead, other] = [pool.worker(0), pool.worker(1)];
    dead.goes({ code: 1, signal: null });
    dead.acks(1);
    assert.deepEqual(acked, []);
    calmDown(clock);
    other.acks(1);
    other.acks(1);
    assert.deepEqual(acked, [1]);
    assert.equal(run.unmatchedAcks, 1);
    await run.drain();
  });

  it('fails when an ack does not match the batch', async () => {
    const { pool, run } = startSupervisor({ size: 1 });
    await run.submit(batchOf(1));
    pool.worker(0).acks(1, 7);
    await assert.rejects(run.drain(), /acked with 7 documents/);
  });

  it('reports to the listener of a run which workers are ready, have acked and have ended, each once', async () => {
    const { pool, supervisor, begin } = createSupervisor({ size: 1 });
    const heard: string[] = [];
    supervisor.spawn();
    const run = begin({
      onReady: (id) => heard.push(`${id} ready`),
      onAck: (id, _ack, settled) => heard.push(`${id} acked ${settled.map(({ number }) => number).join()}`),
      onGone: (id) => heard.push(`${id} gone`),
    });
    pool.worker(0).isReady();
    await run.submit(batchOf(1));
    assert.deepEqual(supervisor.inFlight, { batches: 1, bytes: 10 });
    pool.worker(0).acks(1);
    pool.worker(0).acks(1);
    assert.deepEqual(supervisor.inFlight, { batches: 0, bytes: 0 });
    pool.worker(0).goes({ code: null, signal: 'SIGKILL' });
    assert.deepEqual(heard, ['1 ready', '1 acked 1', '1 gone']);
  });

  it('adds the time of sending to a batch', async () => {
    const { pool, clock, run } = startSupervisor({ size: 1 });
    clock.jump(1234);
    await run.submit(batchOf(1));
    const message = pool.worker(0).received.at(-1);
    assert.equal(message?.kind === 'batch' ? message.sentAtMs : undefined, clock.nowMs());
  });

  it('redelivers a batch whose ack was lost', async () => {
    const { pool, acked, run } = startSupervisor({ size: 1 });
    await run.submit(batchOf(1));
    await run.submit(batchOf(2));
    const worker = pool.worker(0);
    worker.isAlive(0, []);
    assert.deepEqual(worker.batches, [1, 2], 'neither has come to the worker yet');
    worker.isAlive(2, [2]);
    assert.deepEqual(worker.batches, [1, 2, 1]);
    worker.acks(2);
    worker.acks(1);
    await run.drain();
    assert.deepEqual(acked, [2, 1]);
  });

  it('kills a worker that sends no heartbeat, and no other', async () => {
    const { pool, clock, notices, run } = startSupervisor({ size: 2 });
    await run.submit(batchOf(1));
    clock.pass(12_000, () => {
      pool.worker(1).isAlive(0, []);
    });
    assert.match(notices.join(), /worker 1 sent no heartbeat and was killed/);
    assert.equal(notices.length, 1);
    assert.deepEqual(pool.worker(1).batches, [1]);
  });

  it('does not count its own suspension as silence of its workers', () => {
    const { pool, clock, notices } = startSupervisor({ size: 2 });
    clock.jump(3_600_000);
    assert.deepEqual(notices, []);
    assert.equal(pool.workers.length, 2);
  });

  it('does not treat inline workers as hung', () => {
    const { pool, clock, notices } = startSupervisor({ size: 2, isBeside: false });
    clock.pass(60_000);
    assert.deepEqual(notices, []);
    assert.equal(pool.workers.length, 2);
  });

  it('rejects every waiting call with the first failure, and dispatches nothing after it', async () => {
    const { pool, run } = startSupervisor({ size: 1 });
    await run.submit(batchOf(1));
    await run.submit(batchOf(2));
    const third = assert.rejects(run.submit(batchOf(3)), {
      message: 'disk full',
      exitCode: ExitCode.target,
    });
    pool.worker(0).fails('disk full');
    pool.worker(0).fails('something later');
    await third;
    await assert.rejects(run.drain(), MigrationError);
    pool.worker(0).acks(1);
    assert.deepEqual(pool.worker(0).batches, [1, 2]);
  });

  it('sends the settings to a worker once it listens and they are known, whichever comes last', () => {
    const { pool, supervisor, begin } = createSupervisor({ size: 2 });
    supervisor.spawn();
    const [early, late] = [pool.worker(0), pool.worker(1)];
    early.listens();
    assert.deepEqual(early.received, []);
    begin();
    assert.deepEqual(early.received, [{ kind: 'start', run: 1, settings: someSettings }]);
    assert.deepEqual(late.received, [], 'nothing is sent before the worker listens');
    late.listens();
    assert.deepEqual(late.received, [{ kind: 'start', run: 1, settings: someSettings }]);
  });

  it('lets a worker connect before there are settings, and sends them later', () => {
    const target = { postgresUrl: 'postgres://host/db', retryLimitMs: 1, answerTimeoutMs: 2 };
    const { pool, supervisor, begin } = createSupervisor({ target });
    supervisor.spawn();
    pool.worker(0).listens();
    begin();
    pool.worker(1).listens();
    const start = { kind: 'start', run: 1, settings: someSettings };
    assert.deepEqual(pool.worker(0).received, [{ kind: 'connect', target }, start]);
    assert.deepEqual(pool.worker(1).received, [start]);
  });

  it('does not wait for the last worker to be ready', async () => {
    const { pool, supervisor, begin } = createSupervisor({ size: 2 });
    supervisor.spawn();
    const run = begin();
    pool.worker(1).isReady();
    await run.submit(batchOf(1));
    assert.deepEqual(pool.worker(1).batches, [1]);
  });

  it('fails when a worker cannot start', async () => {
    const { pool, run } = startSupervisor({ size: 2 });
    pool.worker(1).fails('too many connections');
    await assert.rejects(run.submit(batchOf(1)), /too many connections/);
  });

  it('does not replace a worker that a signal to all processes ended before it was ready, unless it is the last', async () => {
    const interrupt = new AbortController();
    const { pool, clock, supervisor, notices, begin } = createSupervisor({ signal: interrupt.signal });
    supervisor.spawn();
    const run = begin();
    void run.submit(batchOf(1));
    interrupt.abort();
    pool.worker(0).goes({ code: null, signal: 'SIGTERM' });
    clock.pass(1000);
    assert.equal(pool.workers.length, 2);
    pool.worker(1).goes({ code: null, signal: 'SIGTERM' });
    clock.pass(1000);
    // Batches in flight still need one.
    assert.equal(pool.workers.length, 3);
    pool.worker(2).isReady();
    assert.deepEqual(pool.worker(2).batches, [1]);
    pool.worker(2).acks(1);
    await run.drain();
    assert.deepEqual(notices, []);
  });

  it('replaces a worker that a signal ended without a request to stop', () => {
    const { pool, clock, supervisor } = createSupervisor();
    supervisor.spawn();
    pool.worker(0).goes({ code: null, signal: 'SIGTERM' });
    clock.pass(1000);
    assert.equal(pool.workers.length, 3);
  });

  it('stops a worker that was not listening yet', async () => {
    const { pool, supervisor } = createSupervisor({ size: 1 });
    supervisor.spawn();
    const stopped = supervisor.stop();
    assert.deepEqual(pool.worker(0).received, []);
    pool.worker(0).listens();
    assert.deepEqual(pool.worker(0).received, [{ kind: 'drain' }]);
    pool.worker(0).leaves();
    await stopped;
  });

  it('stops when every worker has drained and exited', async () => {
    const { pool, supervisor } = startSupervisor({ size: 2 });
    const stopped = supervisor.stop();
    assert.deepEqual(
      pool.workers.map((worker) => worker.received.at(-1)?.kind),
      ['drain', 'drain'],
    );
    pool.worker(0).leaves();
    assert.equal(await isPending(stopped), true);
    pool.worker(1).leaves();
    await stopped;
    assert.equal(pool.workers.length, 2, 'none was replaced');
  });

  describe('with several runs', () => {
    const heardBy = (heard: string[], name: string): RunListener => ({
      onReady: (id) => heard.push(`${name}: ${id} ready`),
      onSettled: (batch) => heard.push(`${name}: ${batch.number} settled`),
      onAckOfOther: (id) => heard.push(`${name}: ${id} at another`),
    });

    it('dispatches the batches of all in turn, with their run, and reports to each its own', async () => {
      const { pool, begin, supervisor } = createSupervisor({ size: 1 });
      const heard: string[] = [];
      supervisor.spawn();
      const [first, second] = [begin(heardBy(heard, 'first')), begin(heardBy(heard, 'second'))];
      const worker = pool.worker(0);
      worker.isReady();
      await first.submit(batchOf(1));
      await second.submit(batchOf(1));
      const sent = worker.received.flatMap((message) => (message.kind === 'batch' ? [message] : []));
      assert.deepEqual(
        sent.map(({ run, delivery, batch }) => [run, delivery, batch.number]),
        [
          [1, 1, 1],
          [2, 2, 1],
        ],
      );
      // Batches of the same number: it is the delivery that is answered.
      worker.answers(2);
      await second.drain();
      assert.equal(await isPending(first.drain()), true);
      worker.answers(1);
      await first.drain();
      assert.deepEqual(heard, [
        'first: 1 ready',
        'second: 1 ready',
        'second: 1 settled',
        'first: 1 at another',
        'first: 1 settled',
        'second: 1 at another',
      ]);
    });

    it('bounds the batches in flight of all together', async () => {
      const { run, begin, supervisor, pool } = startSupervisor({ size: 1 });
      const other = begin();
      pool.worker(0).starts();
      await run.submit(batchOf(1));
      await other.submit(batchOf(2));
      const third = other.submit(batchOf(3));
      assert.equal(await isPending(third), true);
      assert.deepEqual(supervisor.inFlight, { batches: 2, bytes: 20 });
      pool.worker(0).acks(1);
      await third;
    });

    it('dispatches no batch to a worker that has not answered the start of each', async () => {
      const { pool, run, begin } = startSupervisor({ size: 1 });
      const worker = pool.worker(0);
      const other = begin();
      await run.submit(batchOf(1));
      assert.deepEqual(worker.batches, [], 'what ends it now is the start, and no batch');
      worker.starts();
      await other.submit(batchOf(2));
      assert.deepEqual(worker.batches, [1, 2]);
    });

    it('sends a replacement the start of all runs that have not ended', () => {
      const { pool, run, begin } = startSupervisor({ size: 1 });
      begin();
      run.end();
      assert.deepEqual(pool.worker(0).received.at(-1), { kind: 'end', run: 1 });
      pool.worker(0).goes({ code: null, signal: 'SIGKILL' });
      pool.worker(1).listens();
      assert.deepEqual(pool.worker(1).received, [{ kind: 'start', run: 2, settings: someSettings }]);
    });

    it('fails one alone: its calls are rejected, its batches dropped, and the other continues', async () => {
      const { pool, run, begin, supervisor, acked } = startSupervisor({ size: 1 });
      const worker = pool.worker(0);
      const other = begin();
      worker.starts();
      await run.submit(batchOf(1));
      await run.submit(batchOf(2));
      const third = assert.rejects(run.submit(batchOf(3)), {
        message: 'disk full',
        exitCode: ExitCode.target,
      });
      const fourth = other.submit(batchOf(4));
      worker.failsAt(1, 'disk full');
      await third;
      await fourth;
      await assert.rejects(run.drain(), /disk full/);
      assert.deepEqual(worker.batches, [1, 2, 4], 'the third is not handed out');
      // It was committed nevertheless, as the ledger records.
      worker.acks(2);
      worker.acks(4);
      await other.drain();
      assert.deepEqual(acked, [4]);
      assert.deepEqual(supervisor.inFlight, { batches: 0, bytes: 0 });
      assert.equal(supervisor.hasFailed, false);
    });

    // Red where a batch is queued for an ended run: it is never removed from the queue.
    it('accepts nothing from the readers of an ended one, and the other continues', async () => {
      const { pool, run, begin, supervisor } = startSupervisor({ size: 1 });
      const worker = pool.worker(0);
      const other = begin();
      worker.starts();
      await run.submit(batchOf(1));
      worker.failsAt(1, 'disk full');
      await assert.rejects(run.submit(batchOf(2)), /disk full/);
      assert.equal(await isPending(other.submit(batchOf(3))), false, 'the line is free');
      assert.deepEqual(worker.batches, [1, 3]);
      assert.deepEqual(supervisor.inFlight, { batches: 1, bytes: 10 });
    });

    it('drops the batches of an ended one when their worker dies, and blames none for it', async () => {
      const { pool, clock, run, begin, notices, supervisor } = startSupervisor({ size: 1 });
      const other = begin();
      pool.worker(0).starts();
      await run.submit(batchOfDocuments(1, 2));
      await other.submit(batchOfDocuments(11, 2));
      run.end();
      await assert.rejects(run.drain(), /the run has ended/);
      for (const index of [0, 1, 2]) {
        if (index > 0) pool.worker(index).isReady();
        if (index === 0) assert.deepEqual(pool.worker(0).batches, [1, 11]);
        else assert.deepEqual(pool.worker(index).batches, [11]);
        pool.worker(index).goes({ code: null, signal: 'SIGKILL' });
        calmDown(clock);
      }
      assert.equal(
        notices.filter((notice) => notice.includes('is bisected')).length,
        1,
        'after two of its own',
      );
      assert.deepEqual(supervisor.inFlight, {
        batches: 1,
        bytes: batchOfDocuments(11, 2).bytes.byteLength,
      });
    });

    it('kills a worker that hangs in a batch of an ended one', async () => {
      const { pool, clock, run, begin, notices } = startSupervisor({ size: 2 });
      const other = begin();
      for (const worker of pool.workers) worker.starts();
      await run.submit(batchOf(1));
      await other.submit(batchOf(2));
      run.end();
      clock.pass(9_000, () => {
        for (const worker of pool.workers) worker.isAlive(1, [1]);
      });
      assert.deepEqual(notices, []);
      clock.pass(2_000, () => {
        for (const worker of pool.workers) worker.isAlive(1, [1]);
      });
      assert.equal(notices.length, 1);
      assert.match(
        notices.join(),
        /^worker 1 held a batch of a run that is over for too long and was killed/,
      );
    });

    it('ends one whose batches crash too many workers, and not the other', async () => {
      const { pool, clock, run, begin, supervisor, acked } = startSupervisor({ size: 2 });
      const other = begin();
      for (const worker of pool.workers) worker.starts();
      await run.submit(batchOfDocuments(1, 1));
      const drained = assert.rejects(run.drain(), /30 workers in a row died without finishing a batch/);
      const holderOf = (number: number): PoolMember =>
        pool.workers.findLast((worker) => worker.batches.at(-1) === number) ??
        assert.fail(`batch ${number} is held`);
      for (let death = 0; death < 30; death++) {
        const victim = holderOf(1);
        // The other continues meanwhile.
        const number = 100 + death;
        await other.submit(batchOf(number));
        assert.notEqual(holderOf(number), victim, 'a suspect has its worker to itself');
        holderOf(number).acks(number);
        victim.goes({ code: null, signal: 'SIGSEGV' });
        calmDown(clock);
        pool.workers.at(-1)?.isReady();
      }
      await drained;
      assert.equal(supervisor.hasFailed, false);
      await other.submit(batchOf(200));
      holderOf(200).acks(200);
      await other.drain();
      assert.equal(acked.length, 31);
    });
  });

  it('does not report the death of a worker that it kills itself, without a reason', async () => {
    for (const [why, reported] of [
      [undefined, []],
      ['did not leave', ['worker 1 did not leave']],
    ] as const) {
      const { supervisor, notices } = startSupervisor({ size: 1 });
      await supervisor.kill(why);
      assert.deepEqual(notices, reported);
    }
  });
});
