import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ScriptedClock } from '../../../support/scripted-clock.ts';
import type { PoolMember, ScriptedPool } from '../../../support/scripted-pool.ts';
import {
  batchOf,
  batchOfDocuments,
  calmDown,
  createSupervisor,
  startSupervisor,
} from '../../../support/scripted-supervisor.ts';

const crash = { code: null, signal: 'SIGSEGV' };
const kill = { code: null, signal: 'SIGKILL' };

/** The deliveries that it has not answered, the oldest first. */
function heldBy(worker: PoolMember, answered: ReadonlySet<unknown>) {
  return worker.received.filter((message) => message.kind === 'batch' && !answered.has(message));
}

/** Has all workers do what they are given, but for documents that end them, until nothing happens any more. */
function work(pool: ScriptedPool, clock: ScriptedClock, crashing: readonly number[]) {
  const gone = new Set<PoolMember>();
  const answered = new Set<unknown>();
  const putAside: number[] = [];
  let deaths = 0;
  for (let idle = 0; idle < 5;) {
    idle++;
    for (const worker of pool.workers.filter((each) => !gone.has(each))) {
      if (worker.received.length === 0 || worker.batches.length === 0) worker.isReady();
      const [next] = heldBy(worker, answered);
      if (next?.kind !== 'batch') continue;
      idle = 0;
      const { number, documentCount, poison } = next.batch;
      if (poison !== undefined) {
        putAside.push(number);
      } else if (crashing.some((each) => number <= each && each < number + documentCount)) {
        gone.add(worker);
        deaths++;
        worker.goes(crash);
        continue;
      }
      answered.add(next);
      worker.acks(number, documentCount);
    }
    calmDown(clock);
  }
  return { deaths, putAside };
}

describe('Workers that die', () => {
  describe('with a batch that is innocent', () => {
    it('all at once, again and again: the document that one held is not put aside', async () => {
      const { pool, clock, acked, notices, run } = startSupervisor({ size: 3 });
      await run.submit(batchOfDocuments(1, 1));
      for (let round = 0; round < 5; round++) {
        // The end of one may be heard before that of the others, which are gone as well.
        for (const worker of pool.workers.slice(-3)) worker.goes(kill);
        calmDown(clock);
        for (const worker of pool.workers.slice(-3)) worker.isReady();
        calmDown(clock);
      }
      work(pool, clock, []);
      await run.drain();
      assert.deepEqual(acked, [1]);
      assert.doesNotMatch(notices.join('\n'), /crashes workers/);
      assert.ok(pool.workers.every(({ last }) => last?.poison === undefined));
    });

    it('each of which held another: none is bisected', async () => {
      const { pool, clock, acked, notices, run } = startSupervisor({ size: 2 });
      await run.submit(batchOfDocuments(1, 4));
      await run.submit(batchOfDocuments(5, 4));
      for (let round = 0; round < 3; round++) {
        for (const worker of pool.workers.slice(-2)) worker.goes(kill);
        calmDown(clock);
        for (const worker of pool.workers.slice(-2)) worker.isReady();
        calmDown(clock);
      }
      work(pool, clock, []);
      await run.drain();
      assert.deepEqual(acked.sort(), [1, 5]);
      assert.doesNotMatch(notices.join('\n'), /crashes workers/);
    });

    it('twice by chance: that is no proof yet', async () => {
      const { pool, clock, notices, run } = startSupervisor({ size: 1 });
      await run.submit(batchOfDocuments(1, 1));
      for (let round = 0; round < 2; round++) {
        pool.workers.at(-1)?.goes(kill);
        calmDown(clock);
        pool.workers.at(-1)?.isReady();
        calmDown(clock);
      }
      assert.equal(pool.workers.at(-1)?.last?.poison, undefined);
      assert.deepEqual(work(pool, clock, []), { deaths: 0, putAside: [] });
      await run.drain();
      assert.doesNotMatch(notices.join('\n'), /crashes workers/);
    });
  });

  describe('over a document', () => {
    it('down to which the batch is split, and which is put aside', async () => {
      const { pool, clock, acked, notices, run } = startSupervisor({ size: 1 });
      await run.submit(batchOfDocuments(1, 8));
      const { deaths, putAside } = work(pool, clock, [6]);
      assert.deepEqual(putAside, [6], 'only the one document');
      assert.deepEqual(acked, [1, 5, 6, 7]);
      assert.equal(deaths, 6, 'two for the whole, one for each halving, and one to be certain');
      assert.match(notices.join('\n'), /batch 1 of range 1 \(8 documents\) crashes workers and is bisected/);
      assert.match(notices.join('\n'), /document 6 of range 1 crashes workers and becomes a dead letter/);
      await run.drain();
    });

    it('at the same time over others: each is found', async () => {
      const { pool, clock, acked, run } = startSupervisor({ size: 3 });
      for (const number of [1, 5, 9]) await run.submit(batchOfDocuments(number, 4));
      const { putAside } = work(pool, clock, [2, 6, 12]);
      assert.deepEqual(putAside.sort(), [12, 2, 6]);
      await run.drain();
      assert.equal(acked.length, 9);
    });

    it('while another worker dies beside it: what that says is not counted, and it is found later', async () => {
      const { pool, clock, notices, run } = startSupervisor({ size: 2 });
      await run.submit(batchOfDocuments(1, 1));
      for (let round = 0; round < 4; round++) {
        const holder = pool.workers.findLast(({ batches }) => batches.length > 0);
        const other = pool.workers.slice(-2).find((each) => each !== holder);
        holder?.goes(crash);
        if (round > 0) other?.goes(kill);
        calmDown(clock);
        for (const worker of pool.workers.slice(-2)) worker.isReady();
        calmDown(clock);
      }
      assert.doesNotMatch(notices.join('\n'), /becomes a dead letter/);
      assert.deepEqual(work(pool, clock, [1]).putAside, [1]);
      await run.drain();
    });

    it('whose batch is tried alone, once it is quiet; others are done meanwhile', async () => {
      const { pool, clock, run } = startSupervisor({ size: 2 });
      await run.submit(batchOfDocuments(1, 2));
      pool.worker(0).goes(crash);
      assert.deepEqual(pool.worker(1).batches, [], 'it may be about to go as well');
      await run.submit(batchOf(5));
      assert.deepEqual(pool.worker(1).batches, [5]);
      pool.worker(1).acks(5);
      clock.jump(300);
      assert.deepEqual(pool.worker(1).batches, [5]);
      // In two steps: what has happened while the primary was busy is heard between them.
      clock.jump(300);
      assert.deepEqual(pool.worker(1).batches, [5, 1]);
    });
  });

  it('gives up when workers die before they are ready, after pauses that grow', async () => {
    const { pool, clock, supervisor, begin } = createSupervisor({ size: 1 });
    supervisor.spawn();
    const run = begin();
    await run.submit(batchOf(1));
    const drained = assert.rejects(run.drain(), /5 workers in a row died before they were ready/);
    for (const [death, pauseMs] of [0, 50, 100, 200].entries()) {
      pool.worker(death).goes({ code: 1, signal: null });
      assert.equal(pool.workers.length, death + (pauseMs === 0 ? 2 : 1), 'none is started before its time');
      clock.jump(pauseMs);
      assert.equal(pool.workers.length, death + 2);
    }
    pool.worker(4).goes({ code: 1, signal: null });
    await drained;
    assert.equal(pool.workers.length, 5);
  });

  it('gives up when workers that were ready keep dying without an ack', async () => {
    const { pool, clock, run } = startSupervisor({ size: 1 });
    await run.submit(batchOfDocuments(1, 1));
    const drained = assert.rejects(run.drain(), /30 workers in a row died without finishing a batch/);
    for (let death = 0; death < 30; death++) {
      pool.worker(death).isReady();
      pool.worker(death).goes({ code: null, signal: 'SIGSEGV' });
      calmDown(clock);
    }
    await drained;
  });

  it('does not deliver the second half when the whole turns out to be committed', async () => {
    const { pool, clock, acked, run } = startSupervisor({ size: 1 });
    await run.submit(batchOfDocuments(1, 4));
    for (const index of [0, 1]) {
      if (index > 0) pool.worker(index).isReady();
      pool.worker(index).goes({ code: null, signal: 'SIGKILL' });
      calmDown(clock);
    }
    pool.worker(2).isReady();
    assert.equal(pool.worker(2).last?.documentCount, 2);
    pool.worker(2).acks(1, 4);
    await run.drain();
    assert.deepEqual(acked, [1, 3], 'both parts are settled');
    assert.deepEqual(pool.worker(2).batches, [1], 'and only one was sent');
  });

  it('blames the batch that a dead worker was at, and not the one that waited', async () => {
    const { pool, clock, run } = startSupervisor({ size: 1 });
    await run.submit(batchOfDocuments(1, 4));
    await run.submit(batchOfDocuments(5, 4));
    pool.worker(0).goes(crash);
    pool.worker(1).isReady();
    assert.deepEqual(pool.worker(1).batches, [], 'either may have been what ended it');
    calmDown(clock);
    assert.deepEqual(pool.worker(1).batches, [1], 'alone');
    pool.worker(1).goes(crash);
    calmDown(clock);
    pool.worker(2).isReady();
    pool.worker(2).acks(1, 2);
    pool.worker(2).acks(3, 2);
    pool.worker(2).acks(5, 4);
    await run.drain();
  });

  it('reports the crash report of a worker that exited by itself', async () => {
    const { pool, notices, run } = startSupervisor({ size: 1 });
    await run.submit(batchOf(1));
    pool.worker(0).crashes('TypeError: x is not a function');
    assert.match(notices.join(), /ended with exit code 1 \(TypeError: x is not a function\)/);
  });
});
