/** The worker: takes batches one after the other, transcodes and loads each, and acknowledges after COMMIT. */

import { toWireError } from '../errors.ts';
import { readPeakRssBytes } from '../memory.ts';
import type { Batch, FromWorker, ToWorker, WorkerSettings } from '../pool/protocol.ts';
import { openLoader, type Loader } from '../postgres/load.ts';
import { createRowEncoder, type RowEncoder } from '../transcode/row.ts';

export interface WorkerPort {
  send(message: FromWorker): void;
  /** Ends the worker after its last message. */
  leave(): void;
}

export class Worker {
  readonly #port: WorkerPort;
  /** Everything is done in the order in which it came in. */
  #last: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #loader: Loader | undefined;
  #encoder: RowEncoder | undefined;

  constructor(port: WorkerPort) {
    this.#port = port;
  }

  /** To be called once messages can be received. */
  listen(): void {
    this.#port.send({ kind: 'listening' });
  }

  receive(message: ToWorker): void {
    this.#last = this.#last.then(async () => {
      // After a failure the primary ends this worker; to go on would only do work that nobody counts.
      if (this.#hasFailed) return;
      try {
        await this.#handle(message);
      } catch (error) {
        this.#hasFailed = true;
        this.#port.send({ kind: 'failed', error: toWireError(error) });
      }
    });
  }

  async #handle(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case 'start':
        await this.#start(message.settings);
        return;
      case 'batch':
        await this.#load(message.batch);
        return;
      case 'drain':
        await this.#loader?.close();
        this.#port.send({ kind: 'drained', peakRssBytes: readPeakRssBytes() });
        this.#port.leave();
        return;
      default:
        message satisfies never;
        throw new Error(`the primary sent an unknown message: ${JSON.stringify(message)}`);
    }
  }

  async #start(settings: WorkerSettings): Promise<void> {
    this.#encoder = createRowEncoder(settings.plan);
    this.#loader = await openLoader(settings);
    this.#port.send({ kind: 'ready' });
  }

  async #load(batch: Batch): Promise<void> {
    if (this.#encoder === undefined || this.#loader === undefined)
      throw new Error('a batch came before start');
    const startedMs = performance.now();
    const encoded = this.#encoder.encodeBatch(batch.documents);
    if (encoded.documents !== batch.count) {
      throw new Error(
        `batch ${batch.number} holds ${encoded.documents} documents, not ${batch.count} as read`,
      );
    }
    const transcodedMs = performance.now();
    const outcome = await this.#loader.load(batch, encoded);
    this.#port.send({
      kind: 'ack',
      number: batch.number,
      ...outcome,
      transcodeMs: transcodedMs - startedMs,
      loadMs: performance.now() - transcodedMs,
    });
  }
}
