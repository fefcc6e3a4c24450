/**
 * The connections of a worker to Postgres: while Postgres works on the batch of one, the next is transcoded for another.
 *
 * A connection:  opening ──→ free ←──take()/giveBack()──→ taken
 *                   └─────────┴── closed, if there are more than wanted
 * Invariants
 * - a batch has its own connection, and with it the memory into which its rows are encoded;
 * - the first one must succeed; if a further one fails, there are fewer.
 */

import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { openLoadingSession } from '../../postgres/load/load.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { WorkerSettings, WorkerTarget } from '../../postgres/worker-settings.ts';
import { createCoreEncoder } from '../../transcode/core/core-encoder.ts';
import type { RowEncoder } from '../../transcode/row.ts';
import { createTask, type Task, type TaskSessions } from './task.ts';
import type { BatchTransform } from '../../transcode/transform/batch-transform.ts';
import { openBatchTransform } from '../../transcode/transform/open-batch-transform.ts';

/** What a connection needs for the batches of a run. */
export interface Tools {
  readonly encoder: RowEncoder;
  /** Null without a transform. */
  readonly transform: BatchTransform | null;
  readonly task: Task;
}

export class WorkerConnection {
  readonly #session: Session;
  readonly #openLedger: (() => Promise<Session>) | null;
  /** With a node, opened when it is needed. */
  #ledger: Promise<Session> | undefined;
  readonly #onWithoutCore: (reason: string) => void;
  /** By run number. */
  readonly #tools = new Map<number, Tools>();

  /**
   * @param session where batches are loaded
   * @param openLedger opens one to the coordinator, if that is another server; null if it is not
   */
  constructor(
    session: Session,
    openLedger: (() => Promise<Session>) | null,
    onWithoutCore: (reason: string) => void,
  ) {
    this.#session = session;
    this.#openLedger = openLedger;
    this.#onWithoutCore = onWithoutCore;
  }

  async toolsFor(run: number, settings: WorkerSettings): Promise<Tools> {
    const known = this.#tools.get(run);
    if (known !== undefined) return known;
    // While batches are compared, a session with a node would only take up connections.
    if (this.#openLedger !== null && settings.purpose !== 'load') await this.#session.close();
    const sessions: TaskSessions = {
      loading: () => Promise.resolve(this.#session),
      ledger: () => this.#findLedger(),
    };
    const task = await createTask(sessions, settings);
    const encoder = createCoreEncoder(settings.plan, { onFailure: this.#onWithoutCore });
    const transform = await openBatchTransform(settings.plan, settings.documentTimeoutMs);
    const tools = { encoder, transform, task };
    this.#tools.set(run, tools);
    return tools;
  }

  forget(run: number): void {
    this.#tools.delete(run);
  }

  async close(): Promise<void> {
    const ledger = await this.#ledger?.catch(() => undefined);
    await Promise.all([this.#session.close(), ledger?.close()]);
  }

  async #findLedger(): Promise<Session> {
    if (this.#openLedger === null) return this.#session;
    this.#ledger ??= this.#openLedger();
    try {
      return await this.#ledger;
    } catch (error) {
      this.#ledger = undefined;
      throw error;
    }
  }
}

export interface ConnectionsOptions {
  /** Called when one of them broke, and is reconnected. */
  onLost(): void;
  /** Called when the WebAssembly core cannot be used; may be called for each run. */
  onWithoutCore(reason: string): void;
  readonly killSignal: AbortSignal;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  #wanted = 1;
  #target: WorkerTarget | undefined;
  readonly #all = new Set<WorkerConnection>();
  /** Last in, first out: the memory of the last one is in the cache, and unused ones touch no memory. */
  readonly #free: WorkerConnection[] = [];
  readonly #takers: ((connection: WorkerConnection) => void)[] = [];
  /** Aborts each attempt to connect. */
  readonly #opening = new Map<Promise<void>, AbortController>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Sets the wanted number. Surplus connections are closed as soon as they are free. */
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

  /** Creates the encoder and task of the run on one of them. */
  async prepare(run: number, settings: WorkerSettings): Promise<void> {
    const connection = await this.take();
    try {
      await connection.toolsFor(run, settings);
    } finally {
      this.giveBack(connection);
    }
  }

  /** Resolves with a free connection. To be called after `open`, by one caller at a time. */
  async take(): Promise<WorkerConnection> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return await new Promise((resolve) => this.#takers.push(resolve));
  }

  giveBack(connection: WorkerConnection): void {
    if (this.#all.size > this.#wanted) {
      this.#all.delete(connection);
      // It is idle, so that an error while closing is harmless.
      void connection.close().catch(() => undefined);
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
    await Promise.all([...this.#all].map((connection) => connection.close()));
  }

  #openMore(target: WorkerTarget): void {
    while (this.#all.size + this.#opening.size < this.#wanted) {
      const attempt = new AbortController();
      const signal = AbortSignal.any([this.#options.killSignal, attempt.signal]);
      // Errors are ignored: the other connections continue, and meet problems of the server themselves.
      const opened = this.#openOne(target, signal).catch(() => undefined);
      this.#opening.set(opened, attempt);
      void opened.finally(() => this.#opening.delete(opened));
    }
  }

  async #openOne(target: WorkerTarget, killSignal: AbortSignal): Promise<void> {
    const session = await openLoadingSession(target, 'node', { ...this.#options, killSignal });
    const openLedger =
      target.nodeUrl === undefined
        ? null
        : (): Promise<Session> => openLoadingSession(target, 'coordinator', { ...this.#options });
    const connection = new WorkerConnection(session, openLedger, (reason) => {
      this.#options.onWithoutCore(reason);
    });
    this.#all.add(connection);
    this.giveBack(connection);
  }
}
