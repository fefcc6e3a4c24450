/**
 * The worker: takes batches one after the other, transcodes and loads (or compares) each, and acknowledges after COMMIT.
 *
 * A run:     start ──→ encoder and task are made ──ready──→ its batches ──end──→ forgotten
 * A batch:   received ──→ held ──→ transcoded ──→ its task is done ──ack──→ answered
 * Invariants
 * - everything is done in the order in which it came in, whatever run it is of;
 * - each batch is answered once: by an ack, or by the failure of its run, which every later batch of the run meets as well;
 * - all runs share one connection, on which there is one transaction at a time.
 */

import { MigrationError, toWireError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { readMachineMs } from '../../common/clock.ts';
import { aliveEveryMs, type ToWorker } from '../protocol.ts';
import { openLoadingSession } from '../../postgres/load/load.ts';
import type { LoadableBatch } from '../../postgres/load/loadable-batch.ts';
import type { Session } from '../../postgres/connection/session.ts';
import { batchKey, type Batch } from '../../source/page.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { DocumentCursor } from '../../bson/cursor.ts';
import { createRowEncoder, type RowEncoder } from '../../transcode/row.ts';
import { createTask, type Task } from './task.ts';
import { describeArrival, type Moments } from './arrival.ts';
import type { HostedWorker, WorkerPort } from './port.ts';
import type { Ack } from '../../observe/ack.ts';
import type { WorkerSettings, WorkerTarget } from '../../postgres/worker-settings.ts';

type BatchMessage = Extract<ToWorker, { kind: 'batch' }>;

/** What this worker needs for the batches of a run. */
interface WorkerRun {
  readonly encoder: RowEncoder;
  readonly task: Task;
  /** Why no batch of it can be done. */
  failure?: MigrationError;
}

export class Worker implements HostedWorker {
  readonly #port: WorkerPort;
  #last: Promise<void> = Promise.resolve();
  #hasFailed = false;
  /** One connection for all runs that this worker takes part in. */
  #session: Session | undefined;
  readonly #runs = new Map<number, WorkerRun>();
  /** The number of the last delivery that came in, and those that are not answered. */
  #received = 0;
  readonly #holding = new Set<number>();
  /** How often Postgres was tried again since the last ack. */
  #retries = 0;
  /** When it was done with what it had to do, by the machine's clock. */
  #idleSinceMs = 0;
  #signsOfLife: NodeJS.Timeout | undefined;
  readonly #death = new AbortController();

  constructor(port: WorkerPort) {
    this.#port = port;
  }

  listen(): void {
    this.#port.send({ kind: 'listening' });
    this.#signsOfLife = setInterval(() => {
      this.#port.send({ kind: 'alive', received: this.#received, holding: [...this.#holding] });
    }, aliveEveryMs).unref();
  }

  receive(message: ToWorker): void {
    const receivedAtMs = readMachineMs();
    if (message.kind === 'batch') {
      this.#received = message.delivery;
      this.#holding.add(message.delivery);
    }
    this.#last = this.#last.then(async () => {
      // After a failure the primary ends this worker; to go on would only do work that nobody counts.
      if (this.#hasFailed || this.#death.signal.aborted) return;
      try {
        await this.#handle(message, receivedAtMs);
      } catch (error) {
        this.#fail(message, error);
      }
    });
  }

  kill(): void {
    clearInterval(this.#signsOfLife);
    this.#death.abort(new Error('the worker was killed'));
  }

  async #handle(message: ToWorker, receivedAtMs: number): Promise<void> {
    switch (message.kind) {
      case 'connect':
        await this.#connect(message.target);
        return;
      case 'start':
        await this.#start(message.run, message.settings);
        return;
      case 'batch':
        await this.#load(message, { sentAtMs: message.sentAtMs, receivedAtMs });
        return;
      case 'end':
        this.#runs.delete(message.run);
        return;
      case 'drain':
        await this.#session?.close();
        clearInterval(this.#signsOfLife);
        this.#port.send({ kind: 'drained' });
        this.#port.leave();
        return;
      default:
        message satisfies never;
        throw new Error(`the primary sent an unknown message: ${JSON.stringify(message)}`);
    }
  }

  /** What we foresee is the same for every worker; a defect may be about this one, or about one document. */
  #fail(message: ToWorker, error: unknown): void {
    if (!(error instanceof MigrationError)) {
      this.#hasFailed = true;
      this.#port.crash({ kind: 'crashing', error: toWireError(error) });
    } else if (message.kind === 'batch' && !error.isServerGone) {
      const { run, delivery } = message;
      const failed = this.#runs.get(run);
      if (failed !== undefined) failed.failure = error;
      this.#holding.delete(delivery);
      this.#port.send({ kind: 'run-failed', run, delivery, error: toWireError(error) });
    } else {
      this.#hasFailed = true;
      this.#port.send({ kind: 'failed', error: toWireError(error) });
    }
  }

  async #start(run: number, settings: WorkerSettings): Promise<void> {
    await reachFailpoint('worker-before-ready');
    const encoder = createRowEncoder(settings.plan);
    const task = await createTask(await this.#connect(settings), settings);
    this.#runs.set(run, { encoder, task });
    this.#port.send({ kind: 'ready', run });
    this.#idleSinceMs = readMachineMs();
  }

  async #connect(target: WorkerTarget): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    await reachFailpoint('worker-before-connect');
    this.#session = await openLoadingSession(target, {
      onLost: () => {
        this.#retries++;
      },
      killSignal: this.#death.signal,
    });
    return this.#session;
  }

  async #load(
    { run, delivery, batch }: BatchMessage,
    way: Pick<Moments, 'sentAtMs' | 'receivedAtMs'>,
  ): Promise<void> {
    const { encoder, task, failure } = this.#requireRun(run);
    if (failure !== undefined) throw failure;
    const startedAtMs = readMachineMs();
    const arrival = describeArrival({ ...way, startedAtMs, idleSinceMs: this.#idleSinceMs });
    const encoded = await this.#encode(batch, encoder);
    const transcodedAtMs = readMachineMs();
    const outcome = await task.perform(batch, encoded);
    const loadMs = readMachineMs() - transcodedAtMs;
    await this.#acknowledge(run, delivery, {
      ...outcome,
      transcodeMs: transcodedAtMs - startedAtMs,
      loadMs,
      arrival,
      ...(this.#retries > 0 ? { retries: this.#retries } : {}),
      ...this.#port.readMemory(),
    });
    this.#port.release?.(batch.bytes);
    this.#retries = 0;
    this.#idleSinceMs = readMachineMs();
  }

  #requireRun(run: number): WorkerRun {
    const known = this.#runs.get(run);
    if (known === undefined) throw new Error('a batch came before its run');
    return known;
  }

  async #encode(batch: Batch, encoder: RowEncoder): Promise<LoadableBatch> {
    if (batch.deadly !== undefined) return refuseUnread(batch, batch.deadly);
    // Its documents come again one by one: whoever looks at them all together ends.
    if (batch.drain?.isGivenUp === true) return { ...unread, documentCount: batch.documentCount };
    await reachFailpoint('worker-transcode', batch.bytes);
    const encoded = encoder.encodeBatch(batch.bytes);
    const { documentCount, deadLetters } = encoded;
    if (documentCount !== batch.documentCount) {
      throw new Error(
        `batch ${batchKey(batch)} holds ${documentCount} documents, not ${batch.documentCount} as read`,
      );
    }
    const letters = deadLetters.map((letter) => ({ ...letter, code: null }));
    return { ...encoded, deadLetters: letters };
  }

  async #acknowledge(run: number, delivery: number, ack: Ack): Promise<void> {
    const verdict = await reachFailpoint('worker-before-ack');
    this.#holding.delete(delivery);
    if (verdict === 'drop') return;
    const message = { kind: 'ack', run, delivery, ...ack } as const;
    this.#port.send(message);
    if (verdict === 'double') this.#port.send(message);
  }
}

/** A dead letter made without a look into the document, which has ended those that looked. */
function refuseUnread(batch: Batch, why: string): LoadableBatch {
  const cursor = new DocumentCursor(batch.bytes);
  cursor.next();
  const document = Buffer.from(batch.bytes.subarray(cursor.start, cursor.end));
  const letter = {
    ordinal: 0,
    document,
    // The reader has found the _id already; it is all of the document that is safe to look at.
    id: describeId(batch.last),
    reason: 'worker_died',
    code: null,
    column: null,
    detail: why,
  } as const;
  return { ...unread, documentCount: 1, deadLetters: [letter] };
}

/** What is made of documents that nobody looks into. */
const unread = {
  copy: Buffer.alloc(0),
  rowCount: 0,
  deadLetters: [],
  extra: [],
  children: [],
  hasLongKey: false,
} as const;
