/** The contract of all pools, on which the supervisor relies. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { clusterImplementations } from '../../../../src/config/options/workers.ts';
import type { WorkerCode } from '../../../../src/workers/pool/worker-code.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from '../../../../src/workers/pool/pool.ts';
import type { FromWorker } from '../../../../src/workers/protocol.ts';
import { createThreadPool } from '../../../../src/workers/pool/threads.ts';
import { WarmPool } from '../../../../src/workers/pool/warm-pool.ts';
import { cleanUp, waitUntil } from '../../../support/embedded.ts';
import { ScriptedWorker, talk, type Order } from '../../../support/scripted-worker.ts';
import { createPool } from '../../../../src/workers/pool/create-pool.ts';

const support = (file: string): URL => new URL(`../../../support/${file}`, import.meta.url);
const code: WorkerCode = {
  process: support('scripted-process.js'),
  thread: support('scripted-thread.js'),
  inline: () => Promise.resolve((port) => new ScriptedWorker(port)),
};

class Spawned {
  readonly worker: PoolWorker;
  /** In the order of arrival. */
  readonly heard: (FromWorker | 'gone')[] = [];
  exit: Exit | undefined;

  constructor(t: TestContext, pool: Pool) {
    let isSpawned = false as boolean;
    this.worker = pool.spawn({
      onMessage: (message) => {
        assert.ok(isSpawned, 'nothing is heard while the pool is called');
        this.heard.push(message);
      },
      onGone: (exit) => {
        assert.ok(isSpawned, 'nothing is heard while the pool is called');
        this.heard.push('gone');
        this.exit = exit;
      },
    });
    isSpawned = true;
    cleanUp(t, async () => {
      if (this.exit === undefined) this.worker.kill();
      await this.untilGone();
      assert.equal(this.heard.filter((message) => message === 'gone').length, 1, 'gone once');
      assert.equal(this.heard.at(-1), 'gone', 'and nothing after it');
    });
  }

  order(order: Order, documents: Uint8Array = new Uint8Array(), number = 1): void {
    const place = { rangeNo: 1, epoch: 1, number, after: null, last: new Uint8Array(5) };
    const batch = { ...place, documentCount: 1, bytes: documents };
    this.worker.send({ kind: 'batch', run: 1, delivery: 1, batch: { ...batch, poison: order }, sentAtMs: 0 });
  }

  async untilHeard(count: number): Promise<void> {
    await waitUntil(`${count} messages have come`, () => Promise.resolve(this.heard.length >= count));
  }

  async untilGone(): Promise<Exit> {
    await waitUntil('the worker is gone', () => Promise.resolve(this.exit !== undefined));
    return this.exit ?? assert.fail('waited for');
  }

  /** Its messages, except that it listens. */
  get said(): { readonly received: number; readonly holding: readonly number[] }[] {
    return this.heard.flatMap((message) =>
      message !== 'gone' && message.kind === 'alive'
        ? [{ received: message.received, holding: message.holding.map(Number) }]
        : [],
    );
  }
}

for (const implementation of clusterImplementations) {
  describe(`a worker of ${implementation}`, () => {
    async function spawn(t: TestContext): Promise<Spawned> {
      const spawned = new Spawned(t, await createPool(implementation, code));
      await spawned.untilHeard(1);
      return spawned;
    }

    it('listens, receives messages in order, and exits after all of its messages have arrived', async (t) => {
      const spawned = await spawn(t);
      assert.deepEqual(spawned.heard, [{ kind: 'listening' }]);
      for (let number = 1; number <= 100; number++) spawned.order('echo', Buffer.of(number), number);
      spawned.worker.send({ kind: 'drain' });
      const exit = await spawned.untilGone();
      assert.equal(exit.code, 0);
      assert.deepEqual(
        spawned.said.map(({ received, holding }) => [received, ...holding]),
        Array.from({ length: 100 }, (_, index) => [index + 1, 1, index + 1]),
      );
      assert.deepEqual(spawned.heard.slice(-2), [{ kind: 'drained' }, 'gone']);
    });

    it('gets large batches complete, and does not change them for another delivery', async (t) => {
      const spawned = await spawn(t);
      const reply = Buffer.alloc(16_000_000, 1);
      const documents = reply.subarray(100, -1000).fill(2);
      for (let number = 1; number <= 3; number++) spawned.order('echo', documents, number);
      await spawned.untilHeard(4);
      const wanted = [documents.byteLength, 2 * documents.byteLength];
      assert.deepEqual(
        spawned.said.map(({ holding }) => holding),
        [wanted, wanted, wanted],
      );
      assert.ok(documents.byteLength > 15e6 && documents.every((byte) => byte === 2));
    });

    it('has a unique id, also among ended workers', async (t) => {
      const pool = await createPool(implementation, code);
      const workers = [new Spawned(t, pool), new Spawned(t, pool)];
      workers[0]?.worker.kill();
      await workers[0]?.untilGone();
      workers.push(new Spawned(t, pool));
      const ids = workers.map(({ worker }) => worker.id);
      assert.equal(new Set(ids).size, 3, ids.join());
      const pid = String(process.pid);
      for (const id of ids) assert.equal(id.split('/')[0] === pid, implementation !== 'cluster', id);
    });

    it('is killed while it sends: earlier messages arrive, and none after onGone', async (t) => {
      const spawned = await spawn(t);
      spawned.order('talk-on');
      await spawned.untilHeard(10);
      spawned.worker.kill();
      spawned.worker.kill();
      const exit = await spawned.untilGone();
      assert.equal(exit.code, null);
      const { length } = spawned.heard;
      // Time for messages that may still be in transit.
      const other = await spawn(t);
      other.order('echo');
      await other.untilHeard(2);
      assert.equal(spawned.heard.length, length);
      spawned.order('echo');
      spawned.worker.kill();
    });

    it('buffers its messages until it is used, and is stopped if it is unused', async (t) => {
      const gone: Exit[] = [];
      const pool = await createPool(implementation, code);
      const spawnAndTell = (events: WorkerEvents): PoolWorker =>
        pool.spawn({
          ...events,
          onGone: (exit) => {
            gone.push(exit);
            events.onGone(exit);
          },
        });
      const warm = new WarmPool({ ...pool, spawn: spawnAndTell }, 2);
      cleanUp(t, () => warm.close());
      // Time for them to start.
      await spawn(t);
      const asked = new Spawned(t, warm);
      await asked.untilHeard(1);
      asked.order('echo', Buffer.of(7));
      await asked.untilHeard(2);
      assert.deepEqual(asked.heard[0], { kind: 'listening' });
      assert.deepEqual(asked.said[0]?.holding, [1, 7]);
      await warm.close();
      assert.equal(gone.length, 1, 'the unused one');
      const late = new Spawned(t, warm);
      await late.untilHeard(1);
    });

    it('is killed before it listens', async (t) => {
      const spawned = new Spawned(t, await createPool(implementation, code));
      spawned.worker.kill();
      assert.equal((await spawned.untilGone()).code, null);
    });

    for (const [order, exitCode] of [
      ['talk-and-leave', 0],
      ['talk-and-crash', 1],
    ] as const) {
      it(`delivers all of its last messages (${order})`, async (t) => {
        const spawned = await spawn(t);
        spawned.order(order);
        const exit = await spawned.untilGone();
        assert.equal(exit.code, exitCode);
        assert.deepEqual(
          spawned.said.map(({ received }) => received),
          Array.from({ length: talk }, (_, index) => index),
        );
        const last = spawned.heard.at(-2);
        if (exitCode === 1) assert.ok(last !== 'gone' && last?.kind === 'crashing', JSON.stringify(last));
      });
    }

    const skip = implementation === 'inline' && 'it would be the end of the primary itself';

    it('ends by an uncaught exception', { skip }, async (t) => {
      const spawned = await spawn(t);
      spawned.order('throw');
      const exit = await spawned.untilGone();
      assert.equal(exit.code, 1);
      // A process has written it to standard error.
      if (implementation === 'threads') assert.match(exit.reason ?? '', /an uncaught exception/);
    });

    it('ends by process.exit, alone', { skip }, async (t) => {
      const [spawned, other] = [await spawn(t), await spawn(t)];
      spawned.order('exit');
      assert.deepEqual((await spawned.untilGone()).code, 0);
      other.order('echo');
      await other.untilHeard(2);
    });

    it('is killed in an endless loop', { skip }, async (t) => {
      const spawned = await spawn(t);
      spawned.order('echo');
      spawned.order('loop');
      await spawned.untilHeard(2);
      spawned.worker.kill();
      assert.equal((await spawned.untilGone()).code, null);
    });
  });
}

describe('a thread', () => {
  it('that runs out of memory ends alone, and reports it', async (t) => {
    const spawned = new Spawned(t, createThreadPool(code.thread, { maxOldGenerationSizeMb: 16 }));
    await spawned.untilHeard(1);
    spawned.order('fill-memory');
    const exit = await spawned.untilGone();
    assert.equal(exit.code, 1);
    assert.match(exit.reason ?? '', /memory limit/);
  });

  it('that cannot be created is reported as ended', async (t) => {
    const spawned = new Spawned(t, createThreadPool(new URL('http://127.0.0.1/')));
    assert.match((await spawned.untilGone()).signal ?? '', /URL/);
  });

  it('whose script is missing is reported as ended', async (t) => {
    const spawned = new Spawned(t, createThreadPool(support('nowhere.js')));
    assert.match((await spawned.untilGone()).reason ?? '', /nowhere\.js/);
  });
});
