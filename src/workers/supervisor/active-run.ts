/** The state of a run in the supervisor: its settings, listeners and counts. */

import type { MigrationError } from '../../common/errors.ts';
import type { Batch } from '../../source/page.ts';
import { DeathBudget } from './death-budget.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import type { Ack } from '../../observe/ack.ts';
import type { WorkerSettings } from '../../postgres/worker-settings.ts';

export class ActiveRun {
  /** Identifies it in messages. Not the ledger's id, since the same run may be loaded or compared twice. */
  readonly id: number;
  readonly settings: WorkerSettings;
  readonly #listeners: readonly RunListener[];
  /** Workers that died over its batches. */
  readonly deaths = new DeathBudget();
  /** Batches that are submitted and not settled. */
  unsettled = 0;
  /** Approximate total of documents; Infinity if unknown. */
  expectedDocuments = Infinity;
  settledDocuments = 0;
  readonly submitted = { documents: 0, bytes: 0 };
  /** Acks that came from a worker that did not hold the batch. */
  unmatchedAcks = 0;
  /** It has failed or ended: its batches are not dispatched any more, and listeners are not called. */
  isOver = false;
  /** The error with which its calls are rejected. */
  failure: MigrationError | undefined;

  constructor(id: number, settings: WorkerSettings, listeners: readonly RunListener[]) {
    this.id = id;
    this.settings = settings;
    this.#listeners = listeners;
  }

  notifyReady(workerId: string): void {
    for (const listener of this.#listeners) listener.onReady?.(workerId);
  }

  notifyAck(workerId: string, ack: Ack, settled: readonly Batch[]): void {
    for (const { documentCount } of settled) this.settledDocuments += documentCount;
    for (const listener of this.#listeners) listener.onAck?.(workerId, ack, settled);
    for (const batch of settled) for (const listener of this.#listeners) listener.onSettled?.(batch);
  }

  notifyAckOfOther(workerId: string, ack: Ack): void {
    for (const listener of this.#listeners) listener.onAckOfOther?.(workerId, ack);
  }

  notifyGone(workerId: string): void {
    for (const listener of this.#listeners) listener.onGone?.(workerId);
  }
}
