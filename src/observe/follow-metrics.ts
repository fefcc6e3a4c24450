/** The Prometheus metrics of following. They have no value until the first event. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { FollowingEvent } from './follow-events.ts';
import { countUnverified } from './proof.ts';
import { setTotal } from './set-total.ts';

export class FollowMetrics {
  readonly #registry: Registry;
  readonly #lag: Gauge;
  readonly #readLag: Gauge;
  readonly #oldestChange: Gauge;
  readonly #journalRows: Gauge;
  readonly #refused: Gauge;
  readonly #oplogWindow: Gauge;
  readonly #canCutOver: Gauge;
  readonly #unverified: Gauge;
  readonly #different: Gauge;
  readonly #stopped: Gauge;
  readonly #events: Counter<'kind'>;
  readonly #mergedRows: Counter<'collection' | 'change'>;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#lag = this.#gauge('lag_seconds', 'How far the rows are behind the documents.');
    this.#readLag = this.#gauge('read_lag_seconds', 'How far the reading of changes is behind the server.');
    this.#oldestChange = this.#gauge(
      'oldest_change_seconds',
      'How long ago the oldest change that waits was made; 0 when none waits.',
    );
    this.#journalRows = this.#gauge('journal_rows', 'Changes in the journal that wait to be merged.');
    this.#refused = this.#gauge(
      'refused_changes',
      'Of these changes, those whose rows Postgres refuses for now.',
    );
    this.#oplogWindow = this.#gauge('oplog_window_seconds', 'How far the oplog reaches back.');
    this.#stopped = this.#gauge(
      'stopped_collections',
      'Collections that are not followed, or no more, while the others are.',
    );
    this.#canCutOver = this.#gauge('can_cut_over', '1 if a cutover is possible, else 0.');
    this.#unverified = this.#gauge(
      'unverified_documents',
      'Documents to be compared again before a cutover; without a value until all were compared once.',
    );
    this.#different = this.#gauge(
      'different_documents',
      'Documents that differ from their rows though all changes of them are merged.',
    );
    this.#events = new Counter({
      name: 'mongo2pg_events_total',
      help: 'Events of the change stream since it was opened.',
      labelNames: ['kind'],
      registers: [registry],
    });
    this.#mergedRows = new Counter({
      name: 'mongo2pg_merged_rows_total',
      help: 'Rows that were merged since this process follows.',
      labelNames: ['collection', 'change'],
      registers: [registry],
    });
  }

  update(event: FollowingEvent): void {
    this.#lag.set(event.lagMs / 1000);
    this.#readLag.set(event.readLagMs / 1000);
    this.#oldestChange.set(event.oldestWaitingMs / 1000);
    this.#journalRows.set(event.waiting);
    this.#refused.set(event.refused);
    // No value, because unknown is not 0.
    if (event.oplogWindowMs === null) this.#oplogWindow.remove();
    else this.#oplogWindow.set(event.oplogWindowMs / 1000);
    this.#stopped.set(event.stopped.length);
    this.#canCutOver.set(event.obstacles.length === 0 ? 1 : 0);
    this.#updateProof(event.collections);
    for (const [kind, total] of Object.entries(event.events)) setTotal(this.#events, { kind }, total);
    for (const { source: collection, inserted, updated, deleted } of event.collections) {
      setTotal(this.#mergedRows, { collection, change: 'inserted' }, inserted);
      setTotal(this.#mergedRows, { collection, change: 'updated' }, updated);
      setTotal(this.#mergedRows, { collection, change: 'deleted' }, deleted);
    }
  }

  #updateProof(collections: FollowingEvent['collections']): void {
    const unverified = countUnverified(collections);
    if (unverified === null) this.#unverified.remove();
    else this.#unverified.set(unverified);
    this.#different.set(collections.reduce((sum, { proof }) => sum + (proof?.different ?? 0), 0));
  }

  /** Without a value at first: in a run that does not follow, 0 would mean that it is caught up. */
  #gauge(name: string, help: string): Gauge {
    const gauge = new Gauge({ name: `mongo2pg_${name}`, help, registers: [this.#registry] });
    gauge.remove();
    return gauge;
  }
}
