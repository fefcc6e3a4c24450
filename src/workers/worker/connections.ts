/**
 * The connections of a worker to Postgres: while Postgres works on the batch of one, the next is transcoded for another.
 *
 * A connection:  opening ──→ free ←──take()/giveBack()──→ taken
 *                   └─────────┴── closed, where there are more than are wanted
 * Invariants
 * - a batch has its connection to itself, and with it the memory that its rows were written to;
 * - the first one has to come about; where a further one does not, there are fewer.
 */

import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { openLoadingSession } from '../../postgres/load/load.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { WorkerSettings, WorkerTarget } from '../../postgres/worker-settings.ts';
import { createCoreEncoder } from '../../transcode/core/core-encoder.ts';
import type { RowEncoder } from '../../transcode/row.ts';
import { createTask, type Task } from './task.ts';
import type { BatchTransform } from '../../transcode/transform/batch-transform.ts';
import { openBatchTransform } from '../../transcode/transform/open-batch-transform.ts';

/** What a connection needs for the batches of a run. */
export interface Tools {
  readonly encoder: RowEncoder;
  /** Null where documents are encoded as they are. */
  readonly transform: BatchTransform | null;
  readonly task: Task;
}

export class WorkerConnection {
  readonly session: Session;
  readonly #onWithoutCore: (reason: string) => void;
  /** By the numbers of their runs. */
  readonly #tools = new Map<number, Tools>();

  constructor(session: Session, onWithoutCore: (reason: string) => void) {
    this.session = session;
    this.#onWithoutCore = onWithoutCore;
  }

  async toolsFor(run: number, settings: WorkerSettings): Promise<Tools> {
    const known = this.#tools.get(run);
    if (known !== undefined) return known;
    const task = await createTask(this.session, settings);
    const encoder = createCoreEncoder(settings.plan, { onFailure: this.#onWithoutCore });
    const transform = await openBatchTransform(settings.plan, settings.documentTimeoutMs);
    const tools = { encoder, transform, task };
    this.#tools.set(run, tools);
    return tools;
  }

  forget(run: number): void {
    this.#tools.delete(run);
  }
}

export interface ConnectionsOptions {
  /** One of them broke, and is made anew. */
  onLost(): void;
  /** There is no core to transcode by: each run may tell of it. */
  onWithoutCore(reason: string): void;
  readonly killSignal: AbortSignal;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  #wanted = 1;
  #target: WorkerTarget | undefined;
  readonly #all = new Set<WorkerConnection>();
  /** The one that was used last is taken next: its memory is warm, and that of one that is not needed is not touched. */
  readonly #free: WorkerConnection[] = [];
  readonly #takers: ((connection: WorkerConnection) => void)[] = [];
  /** What breaks each attempt off. */
  readonly #opening = new Map<Promise<void>, AbortController>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#all.size;
  }

  /** How many there are to be. Those that are too many are closed as soon as they are free. */
  resize(wanted: number): void {
    this.#wanted = wanted;
    if (this.#target !== undefined) this.#openMore(this.#target);
    for (const connection of this.#free.splice(0)) this.giveBack(connection);
  }

  /** Opens the first one. @throws TargetError */
  async open(target: WorkerTarget): Promise<void> {
    if (this.#target !== undefined) return;
    await reachFailpoint('worker-before-connect');
    await this.#openOne(target, this.#options.killSignal);
    this.#target = target;
    this.#openMore(target);
  }

  /** Makes what the run needs, on one of them. */
  async prepare(run: number, settings: WorkerSettings): Promise<void> {
    const connection = await this.take();
    try {
      await connection.toolsFor(run, settings);
    } finally {
      this.giveBack(connection);
    }
  }

  /** Resolves with one that nobody else has; to be called after `open`, by one caller at a time. */
  async take(): Promise<WorkerConnection> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return await new Promise((resolve) => this.#takers.push(resolve));
  }

  giveBack(connection: WorkerConnection): void {
    if (this.#all.size > this.#wanted) {
      this.#all.delete(connection);
      // Nothing is under way on it: that it cannot be closed in order is no loss.
      void connection.session.close().catch(() => undefined);
      return;
    }
    const taker = this.#takers.shift();
    if (taker === undefined) this.#free.push(connection);
    else taker(connection);
  }

  /** The run is over. */
  forget(run: number): void {
    for (const connection of this.#all) connection.forget(run);
  }

  /** To be called when all are free. */
  async close(): Promise<void> {
    for (const attempt of this.#opening.values()) attempt.abort(new Error('the worker leaves'));
    await Promise.all(this.#opening.keys());
    await Promise.all([...this.#all].map(({ session }) => session.close()));
  }

  #openMore(target: WorkerTarget): void {
    while (this.#all.size + this.#opening.size < this.#wanted) {
      const attempt = new AbortController();
      const signal = AbortSignal.any([this.#options.killSignal, attempt.signal]);
      // Whatever it fails for, the others go on without it: what is wrong with the server they meet as well.
      const opened = this.#openOne(target, signal).catch(() => undefined);
      this.#opening.set(opened, attempt);
      void opened.finally(() => this.#opening.delete(opened));
    }
  }

  async #openOne(target: WorkerTarget, killSignal: AbortSignal): Promise<void> {
    const session = await openLoadingSession(target, { ...this.#options, killSignal });
    const connection = new WorkerConnection(session, (reason) => {
      this.#options.onWithoutCore(reason);
    });
    this.#all.add(connection);
    this.giveBack(connection);
  }
}
