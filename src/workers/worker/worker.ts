/**
 * The worker: takes batches in order, transcodes and loads (or compares) each, and acknowledges it after COMMIT. It transcodes one
 * while Postgres works on others, one for each connection.
 *
 * A run:     start ──→ encoder and task are made ──ready──→ its batches ──end──→ forgotten
 * A batch:   received ──→ held ──a connection is free──→ transcoded ──→ its task is done ──ack──→ answered
 * Invariants
 * - everything is begun in the order of arrival, for all runs; with several connections, batches may be answered in another order;
 * - each batch is answered once: by an ack, or by the failure of its run, which applies to every later batch of the run;
 * - all runs share the connections, on each of which there is one transaction at a time;
 * - it exits when every batch is answered.
 */

import { MigrationError, toWireError } from '../../common/errors.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { readMachineMs } from '../../common/clock.ts';
import { heartbeatIntervalMs, type ToWorker } from '../protocol.ts';
import { accountOf, withCodes, type LoadableBatch } from '../../postgres/load/loadable-batch.ts';
import { encodeResults } from '../../postgres/load/transformed-batch.ts';
import { batchKey, type Batch } from '../../source/page.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { DocumentCursor } from '../../bson/cursor.ts';
import { describeArrival } from './arrival.ts';
import { Connections, type Tools, type WorkerConnection } from './connections.ts';
import type { HostedWorker, WorkerPort } from './port.ts';
import { Timesheet } from './timesheet.ts';
import type { Ack } from '../../observe/ack.ts';
import type { WorkerSettings } from '../../postgres/worker-settings.ts';

type BatchMessage = Extract<ToWorker, { kind: 'batch' }>;

/** An encoded batch, and the connection on which it is loaded. */
interface Encoded extends Pick<Ack, 'arrival'> {
  readonly connection: WorkerConnection;
  readonly tools: Tools;
  readonly encoded: LoadableBatch;
}

/** The state of a run in this worker. */
interface WorkerRun {
  readonly settings: WorkerSettings;
  /** The error that fails all of its batches. */
  failure?: MigrationError;
}

export class Worker implements HostedWorker {
  readonly #port: WorkerPort;
  #last: Promise<void> = Promise.resolve();
  #hasFailed = false;
  readonly #connections: Connections;
  readonly #runs = new Map<number, WorkerRun>();
  /** The number of the last received delivery, and the unanswered ones. */
  #received = 0;
  readonly #holding = new Set<number>();
  /** Batches that Postgres works on. */
  readonly #loading = new Set<Promise<void>>();
  /** Number of retries since the last ack. */
  #retries = 0;
  readonly #timesheet = new Timesheet(readMachineMs);
  #heartbeats: NodeJS.Timeout | undefined;
  readonly #death = new AbortController();

  constructor(port: WorkerPort) {
    this.#port = port;
    this.#connections = new Connections({
      onLost: () => {
        this.#retries++;
      },
      onWithoutCore: (reason) => {
        const message = `transcoding in JavaScript, which takes more processor time: ${reason}`;
        this.#port.send({ kind: 'notice', message });
      },
      killSignal: this.#death.signal,
    });
  }

  listen(): void {
    this.#port.send({ kind: 'listening' });
    this.#heartbeats = setInterval(() => {
      this.#port.send({ kind: 'alive', received: this.#received, holding: [...this.#holding] });
    }, heartbeatIntervalMs).unref();
  }

  receive(message: ToWorker): void {
    const receivedAtMs = readMachineMs();
    if (message.kind === 'batch') {
      this.#received = message.delivery;
      this.#holding.add(message.delivery);
      this.#timesheet.receive();
    }
    this.#last = this.#last.then(async () => {
      // After a failure the primary ends this worker; further work would be lost.
      if (this.#hasFailed || this.#death.signal.aborted) return;
      try {
        await this.#handle(message, receivedAtMs);
      } catch (error) {
        this.#fail(message, error);
      }
    });
  }

  kill(): void {
    clearInterval(this.#heartbeats);
    this.#death.abort(new Error('the worker was killed'));
  }

  async #handle(message: ToWorker, receivedAtMs: number): Promise<void> {
    switch (message.kind) {
      case 'connect':
        await this.#connections.open(message.target);
        return;
      case 'connections':
        this.#connections.resize(message.count);
        return;
      case 'start':
        await this.#start(message.run, message.settings);
        return;
      case 'batch':
        await this.#begin(message, receivedAtMs);
        return;
      case 'end':
        this.#runs.delete(message.run);
        this.#connections.forget(message.run);
        return;
      case 'drain':
        await Promise.all(this.#loading);
        await this.#connections.close();
        clearInterval(this.#heartbeats);
        this.#port.send({ kind: 'drained' });
        this.#port.leave();
        return;
      default:
        message satisfies never;
        throw new Error(`the primary sent an unknown message: ${JSON.stringify(message)}`);
    }
  }

  /**
   * A MigrationError would be the same for every worker. Any other error may be caused by this worker or by one document, so that
   * the worker crashes.
   */
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
    await this.#connections.open(settings);
    // Prepared before the first batch arrives.
    await this.#connections.prepare(run, settings);
    this.#runs.set(run, { settings });
    this.#port.send({ kind: 'ready', run });
  }

  /** Transcodes the batch, and starts to load it; resolves when the next one can be begun. */
  async #begin(message: BatchMessage, receivedAtMs: number): Promise<void> {
    const { run, batch, sentAtMs } = message;
    const connection = await this.#connections.take();
    const { idleSinceMs } = this.#timesheet;
    const startedAtMs = readMachineMs();
    this.#timesheet.begin();
    try {
      const { settings, failure } = this.#requireRun(run);
      if (failure !== undefined) throw failure;
      const tools = await connection.toolsFor(run, settings);
      const encoded = await this.#encode(batch, tools);
      this.#timesheet.load();
      const arrival = describeArrival({ sentAtMs, receivedAtMs, idleSinceMs, startedAtMs });
      const loading = this.#load(message, { connection, tools, encoded, arrival });
      this.#loading.add(loading);
      void loading.finally(() => this.#loading.delete(loading));
    } catch (error) {
      this.#timesheet.giveUp();
      this.#connections.giveBack(connection);
      throw error;
    }
  }

  /** Never rejects. */
  async #load(message: BatchMessage, { connection, tools, encoded, arrival }: Encoded): Promise<void> {
    const { run, delivery, batch } = message;
    try {
      const outcome = await tools.task.perform(batch, encoded);
      const retries = this.#retries;
      this.#retries = 0;
      await this.#acknowledge(run, delivery, {
        ...outcome,
        ...this.#timesheet.take(),
        arrival,
        connections: this.#connections.size,
        ...(retries > 0 ? { retries } : {}),
        ...this.#port.readMemory(),
      });
      this.#port.release?.(batch.bytes);
    } catch (error) {
      this.#fail(message, error);
    } finally {
      this.#timesheet.finish();
      this.#connections.giveBack(connection);
    }
  }

  #requireRun(run: number): WorkerRun {
    const known = this.#runs.get(run);
    if (known === undefined) throw new Error('a batch came before its run');
    return known;
  }

  async #encode(batch: Batch, { encoder, transform }: Tools): Promise<LoadableBatch> {
    if (batch.poison !== undefined) return refuseUnread(batch, batch.poison);
    // Its documents are read again one at a time, since together they crash workers.
    if (batch.drain?.isGivenUp === true) return { ...unread, documentCount: batch.documentCount };
    await reachFailpoint('worker-transcode', batch.bytes);
    const encoded =
      transform === null
        ? withCodes(encoder.encodeBatch(batch.bytes))
        : await encodeResults(encoder, transform, batch.bytes);
    const { documentCount } = accountOf(encoded);
    if (documentCount !== batch.documentCount) {
      throw new Error(
        `batch ${batchKey(batch)} holds ${documentCount} documents, not ${batch.documentCount} as read`,
      );
    }
    return encoded;
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

/** A dead letter made without reading the document, which has crashed workers. */
function refuseUnread(batch: Batch, why: string): LoadableBatch {
  const cursor = new DocumentCursor(batch.bytes);
  cursor.next();
  const document = Buffer.from(batch.bytes.subarray(cursor.start, cursor.end));
  const letter = {
    ordinal: 0,
    document,
    // The reader has found the _id already; nothing else of the document is safe to read.
    id: describeId(batch.last),
    reason: 'worker_died',
    code: null,
    column: null,
    detail: why,
  } as const;
  return { ...unread, documentCount: 1, deadLetters: [letter] };
}

/** The result for documents that are not read. */
const unread = {
  copy: Buffer.alloc(0),
  rowCount: 0,
  deadLetters: [],
  extra: [],
  children: [],
  hasLongKey: false,
} as const;
