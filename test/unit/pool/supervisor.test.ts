import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode, MigrationError } from '../../../src/errors.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from '../../../src/pool/pool.ts';
import type { Ack, Batch, ToWorker, WorkerSettings } from '../../../src/pool/protocol.ts';
import { Supervisor } from '../../../src/pool/supervisor.ts';

/** A pool without processes: the test says what its workers do. */
class ScriptedPool implements Pool {
  readonly workers: ScriptedWorker[] = [];

  spawn(events: WorkerEvents): PoolWorker {
    const worker = new ScriptedWorker(this.workers.length + 1, events);
    this.workers.push(worker);
    return worker;
  }

  worker(index: number): ScriptedWorker {
    const worker = this.workers[index];
    assert.ok(worker !== undefined, `worker ${index} was spawned`);
    return worker;
  }
}

class ScriptedWorker implements PoolWorker {
  readonly pid: number;
  readonly received: ToWorker[] = [];
  readonly #events: WorkerEvents;

  constructor(pid: number, events: WorkerEvents) {
    this.pid = pid;
    this.#events = events;
  }

  send(message: ToWorker): void {
    this.received.push(message);
  }

  kill(): void {
    this.goes({ code: null, signal: 'SIGKILL' });
  }

  goes(exit: Exit): void {
    this.#events.onGone(exit);
  }

  listens(): void {
    this.#events.onMessage({ kind: 'listening' });
  }

  isReady(): void {
    this.listens();
    this.#events.onMessage({ kind: 'ready' });
  }

  fails(message: string): void {
    this.#events.onMessage({ kind: 'failed', error: { message, fix: '', exitCode: ExitCode.target } });
  }

  acks(number: number): void {
    this.#events.onMessage({ kind: 'ack', ...ackOf(number) });
  }

  leaves(): void {
    this.#events.onMessage({ kind: 'drained', peakRssBytes: 1 });
    this.goes({ code: 0, signal: null });
  }

  get batches(): number[] {
    return this.received.flatMap((message) => (message.kind === 'batch' ? [message.batch.number] : []));
  }
}

function ackOf(number: number): Ack {
  return { number, isDuplicate: false, copied: 1, deadLettered: 0, extra: [], transcodeMs: 0, loadMs: 0 };
}

function batchOf(number: number, bytes = 10): Batch {
  return { number, count: 1, documents: new Uint8Array(bytes), afterId: null, lastId: new Uint8Array() };
}

function createSupervisor({ size = 2, maxInFlightBytes = 1000 } = {}) {
  const pool = new ScriptedPool();
  const acked: number[] = [];
  const notices: string[] = [];
  const supervisor = new Supervisor({
    pool,
    size,
    maxInFlightBytes,
    onAck: (ack) => acked.push(ack.number),
    onNotice: (message) => notices.push(message),
  });
  return { pool, supervisor, acked, notices };
}

const settings: WorkerSettings = {
  postgresUrl: '',
  runId: '1',
  plan: { collection: 'c', schema: 's', table: 't', columns: [], extraColumn: '_extra' },
};

function startSupervisor(options: { size?: number; maxInFlightBytes?: number } = {}) {
  const created = createSupervisor(options);
  created.supervisor.spawn();
  created.supervisor.begin(settings);
  for (const worker of created.pool.workers) worker.isReady();
  return created;
}

/** Tells whether a promise is still pending once all that can go on without outside help has gone on. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  await new Promise(setImmediate);
  return Promise.race([settled, Promise.resolve(true)]);
}

describe('Supervisor', () => {
  it('hands batches out round-robin', async () => {
    const { pool, supervisor } = startSupervisor({ size: 3 });
    for (let number = 1; number <= 6; number++) await supervisor.submit(batchOf(number));
    assert.deepEqual(
      pool.workers.map((worker) => worker.batches),
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
    );
  });

  it('takes no batch on beyond the credit of its workers', async () => {
    const { pool, supervisor } = startSupervisor({ size: 2 });
    for (let number = 1; number <= 4; number++) await supervisor.submit(batchOf(number));
    const fifth = supervisor.submit(batchOf(5));
    assert.equal(await isPending(fifth), true);
    pool.worker(1).acks(2);
    await fifth;
    assert.deepEqual(pool.worker(1).batches, [2, 4, 5]);
  });

  it('takes no batch on beyond the bytes in flight', async () => {
    const { pool, supervisor } = startSupervisor({ maxInFlightBytes: 100 });
    await supervisor.submit(batchOf(1, 60));
    const second = supervisor.submit(batchOf(2, 60));
    assert.equal(await isPending(second), true);
    pool.worker(0).acks(1);
    await second;
    assert.deepEqual(pool.worker(1).batches, [2]);
  });

  it('takes a single batch on however large it is', async () => {
    const { supervisor } = startSupervisor({ maxInFlightBytes: 100 });
    await supervisor.submit(batchOf(1, 5000));
  });

  it('drains only when every batch is acked', async () => {
    const { pool, supervisor, acked } = startSupervisor();
    await supervisor.submit(batchOf(1));
    await supervisor.submit(batchOf(2));
    const drained = supervisor.drain();
    pool.worker(0).acks(1);
    assert.equal(await isPending(drained), true);
    pool.worker(1).acks(2);
    await drained;
    assert.deepEqual(acked, [1, 2]);
  });

  it('delivers the batches of a dead worker again, before newer ones', async () => {
    const { pool, supervisor, acked, notices } = startSupervisor({ size: 1 });
    await supervisor.submit(batchOf(1));
    await supervisor.submit(batchOf(2));
    pool.worker(0).goes({ code: null, signal: 'SIGKILL' });
    assert.match(notices.join(), /worker 1 ended by SIGKILL/);
    pool.worker(1).isReady();
    assert.deepEqual(pool.worker(1).batches, [1, 2]);
    pool.worker(1).acks(1);
    pool.worker(1).acks(2);
    await supervisor.drain();
    assert.deepEqual(acked, [1, 2]);
  });

  it('gives the batches of a worker that ends with code 0 to another as well', async () => {
    const { pool, supervisor } = startSupervisor({ size: 2 });
    await supervisor.submit(batchOf(1));
    pool.worker(0).goes({ code: 0, signal: null });
    assert.deepEqual(pool.worker(1).batches, [1]);
  });

  it('does not apply an ack of a worker that is gone, nor a second ack', async () => {
    const { pool, supervisor, acked } = startSupervisor({ size: 2 });
    await supervisor.submit(batchOf(1));
    const [dead, other] = [pool.worker(0), pool.worker(1)];
    dead.goes({ code: 1, signal: null });
    dead.acks(1);
    assert.deepEqual(acked, []);
    other.acks(1);
    other.acks(1);
    assert.deepEqual(acked, [1]);
    assert.equal(supervisor.strayAcks, 1);
    await supervisor.drain();
  });

  it('gives up when workers keep dying without finishing a batch', async () => {
    const { pool, supervisor } = startSupervisor({ size: 1 });
    await supervisor.submit(batchOf(1));
    const drained = assert.rejects(supervisor.drain(), /5 workers in a row died/);
    for (let death = 0; death < 5; death++) pool.worker(death).goes({ code: 1, signal: null });
    await drained;
    assert.equal(pool.workers.length, 5);
  });

  it('rejects every waiting call with the first failure, and hands nothing out after it', async () => {
    const { pool, supervisor } = startSupervisor({ size: 1 });
    await supervisor.submit(batchOf(1));
    await supervisor.submit(batchOf(2));
    const third = assert.rejects(supervisor.submit(batchOf(3)), {
      message: 'disk full',
      exitCode: ExitCode.target,
    });
    pool.worker(0).fails('disk full');
    pool.worker(0).fails('something later');
    await third;
    await assert.rejects(supervisor.drain(), MigrationError);
    pool.worker(0).acks(1);
    assert.deepEqual(pool.worker(0).batches, [1, 2]);
  });

  it('sends the settings to a worker once it listens and they are known, whichever comes last', () => {
    const { pool, supervisor } = createSupervisor({ size: 2 });
    supervisor.spawn();
    const [early, late] = [pool.worker(0), pool.worker(1)];
    early.listens();
    assert.deepEqual(early.received, []);
    supervisor.begin(settings);
    assert.deepEqual(early.received, [{ kind: 'start', settings }]);
    assert.deepEqual(late.received, [], 'nothing is sent before the worker listens');
    late.listens();
    assert.deepEqual(late.received, [{ kind: 'start', settings }]);
  });

  it('does not wait for the last worker to be ready', async () => {
    const { pool, supervisor } = createSupervisor({ size: 2 });
    supervisor.spawn();
    supervisor.begin(settings);
    pool.worker(1).isReady();
    await supervisor.submit(batchOf(1));
    assert.deepEqual(pool.worker(1).batches, [1]);
  });

  it('fails when a worker cannot come up', async () => {
    const { pool, supervisor } = startSupervisor({ size: 2 });
    pool.worker(1).fails('too many connections');
    await assert.rejects(supervisor.submit(batchOf(1)), /too many connections/);
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

  it('stops when every worker has drained and gone', async () => {
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
});
