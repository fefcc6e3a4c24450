/** A run as the supervisor keeps it: what workers need for it, who hears of it, and how it stands. */

import type { MigrationError } from '../../common/errors.ts';
import type { Batch } from '../../source/page.ts';
import { DeathBudget } from './death-budget.ts';
import type { RunListener } from '../../observe/run-listener.ts';
import type { Ack } from '../../observe/ack.ts';
import type { WorkerSettings } from '../../postgres/worker-settings.ts';

export class ActiveRun {
  /** Names it in messages. It is not the ledger's id, as the same run may be loaded or compared twice. */
  readonly id: number;
  readonly settings: WorkerSettings;
  readonly #listeners: readonly RunListener[];
  /** Workers that died over its batches. */
  readonly deaths = new DeathBudget();
  /** Batches that are submitted and not settled. */
  unsettled = 0;
  /** About how many documents it has in all; Infinity where nobody knows. */
  expectedDocuments = Infinity;
  settledDocuments = 0;
  readonly submitted = { documents: 0, bytes: 0 };
  /** Acks that came from a worker that did not hold the batch. */
  unmatchedAcks = 0;
  /** It has failed, or its owner has ended it: its batches are not handed out any more, and nobody hears of them. */
  isOver = false;
  /** Why its calls are rejected. */
  failure: MigrationError | undefined;

  constructor(id: number, settings: WorkerSettings, listeners: readonly RunListener[]) {
    this.id = id;
    this.settings = settings;
    this.#listeners = listeners;
  }

  tellReady(workerId: string): void {
    for (const listener of this.#listeners) listener.onReady?.(workerId);
  }

  tellAck(workerId: string, ack: Ack, settled: readonly Batch[]): void {
    for (const { documentCount } of settled) this.settledDocuments += documentCount;
    for (const listener of this.#listeners) listener.onAck?.(workerId, ack, settled);
    for (const batch of settled) for (const listener of this.#listeners) listener.onSettled?.(batch);
  }

  tellAckOfOther(workerId: string, ack: Ack): void {
    for (const listener of this.#listeners) listener.onAckOfOther?.(workerId, ack);
  }

  tellGone(workerId: string): void {
    for (const listener of this.#listeners) listener.onGone?.(workerId);
  }
}
