/** The worker: takes batches one after the other, transcodes and loads (or compares) each, and acknowledges after COMMIT. */

import { MigrationError, toWireError } from '../errors.ts';
import { reachFailpoint } from '../failpoints.ts';
import { readMachineMs } from '../pool/clock.ts';
import {
  aliveEveryMs,
  batchKey,
  type Ack,
  type Batch,
  type ToWorker,
  type WorkerSettings,
  type WorkerTarget,
} from '../pool/protocol.ts';
import { openLoadingSession, type LoadableBatch } from '../postgres/load.ts';
import type { Session } from '../postgres/session.ts';
import { describeId } from '../transcode/describe-id.ts';
import { DocumentCursor } from '../transcode/bson.ts';
import { createRowEncoder, type RowEncoder } from '../transcode/row.ts';
import { createTask, type Task } from './task.ts';
import { describeArrival, type Moments } from './arrival.ts';
import type { HostedWorker, WorkerPort } from './port.ts';

export class Worker implements HostedWorker {
  readonly #port: WorkerPort;
  /** Everything is done in the order in which it came in. */
  #last: Promise<void> = Promise.resolve();
  #hasFailed = false;
  /** One connection for all runs that this worker takes part in. */
  #session: Session | undefined;
  #task: Task | undefined;
  #encoder: RowEncoder | undefined;
  /** Batches that came in, ever, and the keys of those that are not acked. */
  #received = 0;
  readonly #holding = new Set<string>();
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
      this.#received++;
      this.#holding.add(batchKey(message.batch));
    }
    this.#last = this.#last.then(async () => {
      // After a failure the primary ends this worker; to go on would only do work that nobody counts.
      if (this.#hasFailed || this.#death.signal.aborted) return;
      try {
        await this.#handle(message, receivedAtMs);
      } catch (error) {
        this.#hasFailed = true;
        // What we foresee is the same for every worker; a defect may be about this one, or about one document.
        if (error instanceof MigrationError) this.#port.send({ kind: 'failed', error: toWireError(error) });
        else this.#port.crash({ kind: 'crashing', error: toWireError(error) });
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
        await this.#start(message.settings);
        return;
      case 'batch':
        await this.#load(message.batch, { sentAtMs: message.sentAtMs, receivedAtMs });
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

  async #start(settings: WorkerSettings): Promise<void> {
    await reachFailpoint('worker-before-ready');
    this.#encoder = createRowEncoder(settings.plan);
    this.#task = await createTask(await this.#connect(settings), settings);
    this.#port.send({ kind: 'ready' });
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

  async #load(batch: Batch, way: Pick<Moments, 'sentAtMs' | 'receivedAtMs'>): Promise<void> {
    if (this.#encoder === undefined || this.#task === undefined) throw new Error('a batch came before start');
    const startedAtMs = readMachineMs();
    const arrival = describeArrival({ ...way, startedAtMs, idleSinceMs: this.#idleSinceMs });
    const encoded =
      batch.deadly === undefined
        ? await this.#encode(batch, this.#encoder)
        : refuseUnread(batch, batch.deadly);
    const transcodedAtMs = readMachineMs();
    const outcome = await this.#task(batch, encoded);
    const loadMs = readMachineMs() - transcodedAtMs;
    await this.#acknowledge({
      rangeNo: batch.rangeNo,
      number: batch.number,
      ...outcome,
      transcodeMs: transcodedAtMs - startedAtMs,
      loadMs,
      arrival,
      ...(this.#retries > 0 ? { retries: this.#retries } : {}),
      ...this.#port.readMemory(),
    });
    this.#port.release?.(batch.documents);
    this.#retries = 0;
    this.#idleSinceMs = readMachineMs();
  }

  async #encode(batch: Batch, encoder: RowEncoder): Promise<LoadableBatch> {
    await reachFailpoint('worker-transcode', batch.documents);
    const encoded = encoder.encodeBatch(batch.documents);
    const { documents, deadLetters } = encoded;
    if (documents !== batch.count) {
      throw new Error(`batch ${batchKey(batch)} holds ${documents} documents, not ${batch.count} as read`);
    }
    const letters = deadLetters.map((letter) => ({ ...letter, code: null }));
    return { ...encoded, deadLetters: letters };
  }

  async #acknowledge(ack: Ack): Promise<void> {
    const verdict = await reachFailpoint('worker-before-ack');
    this.#holding.delete(batchKey(ack));
    if (verdict === 'drop') return;
    this.#port.send({ kind: 'ack', ...ack });
    if (verdict === 'double') this.#port.send({ kind: 'ack', ...ack });
  }
}

/** A dead letter made without a look into the document, which has ended those that looked. */
function refuseUnread(batch: Batch, why: string): LoadableBatch {
  const cursor = new DocumentCursor(batch.documents);
  cursor.next();
  const document = Buffer.from(batch.documents.subarray(cursor.start, cursor.end));
  const letter = {
    ordinal: 0,
    document,
    // The reader has found the _id already; it is all of the document that is safe to look at.
    id: describeId(batch.lastId),
    reason: 'worker_died',
    code: null,
    column: null,
    detail: why,
  } as const;
  return {
    copy: Buffer.alloc(0),
    documents: 1,
    copied: 0,
    deadLetters: [letter],
    extra: [],
    children: [],
    hasLongKey: false,
  };
}
