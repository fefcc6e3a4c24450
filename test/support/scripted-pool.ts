/** Workers without processes: a test scripts each of them. */

import assert from 'node:assert/strict';
import { ExitCode, MigrationError, TargetError, toWireError } from '../../src/common/errors.ts';
import type { Batch } from '../../src/source/page.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from '../../src/workers/pool/pool.ts';
import type { ToWorker } from '../../src/workers/protocol.ts';
import { createAck } from './acks.ts';

export class ScriptedPool implements Pool {
  readonly isBeside: boolean;
  readonly workers: PoolMember[] = [];

  constructor(isBeside = true) {
    this.isBeside = isBeside;
  }

  spawn(events: WorkerEvents): PoolWorker {
    const worker = new PoolMember(String(this.workers.length + 1), events);
    this.workers.push(worker);
    return worker;
  }

  worker(index: number): PoolMember {
    const worker = this.workers[index];
    assert.ok(worker !== undefined, `worker ${index} was spawned`);
    return worker;
  }
}

export class PoolMember implements PoolWorker {
  readonly id: string;
  readonly received: ToWorker[] = [];
  #started = 0;
  readonly #events: WorkerEvents;

  constructor(id: string, events: WorkerEvents) {
    this.id = id;
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

  /** Listens, and answers the starts. */
  isReady(): void {
    this.listens();
    this.starts();
  }

  /** Answers the starts that it has not answered. */
  starts(): void {
    const due = this.received.flatMap((message) => (message.kind === 'start' ? [message.run] : []));
    for (const run of due.slice(this.#started)) {
      this.#started++;
      this.#events.onMessage({ kind: 'ready', run });
    }
  }

  fails(message: string): void {
    this.#events.onMessage({
      kind: 'failed',
      error: toWireError(new TargetError(message, { code: 'SOME_CODE' })),
    });
  }

  /** @param number of the batch, as it came last */
  acks(number: number, documents = 1): void {
    const ack = createAck({ documentCount: documents, copied: documents });
    this.#events.onMessage({ kind: 'ack', ...this.#find(number), ...ack });
  }

  /** @param delivery the number of the delivery, of whatever batch */
  answers(delivery: number): void {
    const sent = this.received.find((message) => message.kind === 'batch' && message.delivery === delivery);
    const run = sent?.kind === 'batch' ? sent.run : 0;
    this.#events.onMessage({ kind: 'ack', run, delivery, ...createAck() });
  }

  /** In place of an ack. */
  failsAt(number: number, message: string): void {
    const error = toWireError(new TargetError(message, { code: 'SOME_CODE' }));
    this.#events.onMessage({ kind: 'run-failed', ...this.#find(number), error });
  }

  #find(number: number): { run: number; delivery: number } {
    const sent = this.received.findLast(
      (message) => message.kind === 'batch' && message.batch.number === number,
    );
    if (sent?.kind !== 'batch') return { run: 1, delivery: 0 };
    const { run, delivery } = sent;
    return { run, delivery };
  }

  isAlive(received: number, holding: number[]): void {
    this.#events.onMessage({ kind: 'alive', received, holding });
  }

  crashes(message: string): void {
    const error = toWireError(new MigrationError(ExitCode.internal, message, { code: 'SOME_CODE' }));
    this.#events.onMessage({ kind: 'crashing', error });
    this.goes({ code: 1, signal: null });
  }

  leaves(): void {
    this.#events.onMessage({ kind: 'drained' });
    this.goes({ code: 0, signal: null });
  }

  /** The last batch that was delivered. */
  get last(): Batch | undefined {
    return this.received.flatMap((message) => (message.kind === 'batch' ? [message.batch] : [])).at(-1);
  }

  get batches(): number[] {
    return this.received.flatMap((message) => (message.kind === 'batch' ? [message.batch.number] : []));
  }
}
