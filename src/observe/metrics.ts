/** The Prometheus metrics of a command. Only this file and its neighbours use prom-client. */

import { Counter, Gauge, Registry } from 'prom-client';
import type { ProgressEvent, RunEvent, VerifiedEvent } from './events.ts';
import { FollowMetrics } from './follow-metrics.ts';
import type { JobListener } from './listeners.ts';
import { setTotal } from './set-total.ts';

const states = [
  'loading',
  'finishing',
  'finished',
  'verifying',
  'verified',
  'failed',
  'following',
  'ended',
  'cut-over',
] as const;
type State = (typeof states)[number];

/** Names follow the conventions of Prometheus: counters end with `_total`, and names include the unit. */
export class CollectedMetrics implements JobListener {
  readonly registry = new Registry();
  readonly #documents = this.#counter('documents_total', 'Documents committed, as rows or as dead letters.');
  readonly #deadLetters = this.#counter('dead_letters_total', 'Documents that became dead letters.');
  readonly #dropped = this.#counter('dropped_total', 'Documents that the transform dropped.');
  readonly #bytes = this.#counter('document_bytes_total', 'Bytes of BSON of the documents committed.');
  readonly #compared = this.#counter('compared_documents_total', 'Documents that verify has compared.');
  readonly #expected = this.#gauge('expected_documents', 'Approximate number of documents.');
  readonly #seconds = this.#gauge('elapsed_seconds', 'Time since reading began.');
  readonly #differences = this.#gauge('differences', 'Rows missing, different or too many, by verify.');
  readonly #state = new Gauge({
    name: 'mongo2pg_state',
    help: '1 for the state that a collection is in, 0 for the others.',
    labelNames: ['collection', 'state'],
    registers: [this.registry],
  });
  readonly #workers = this.#single('workers', 'Workers that live.');
  readonly #inFlightBatches = this.#single('in_flight_batches', 'Batches read and not yet committed.');
  readonly #inFlightBytes = this.#single('in_flight_bytes', 'Bytes of BSON of these batches.');
  readonly #retries = new Counter({
    name: 'mongo2pg_retries_total',
    help: 'Retries after a transient error of a server.',
    labelNames: ['server'],
    registers: [this.registry],
  });
  readonly #deaths = new Counter({
    name: 'mongo2pg_worker_deaths_total',
    help: 'Workers that exited unexpectedly.',
    registers: [this.registry],
  });
  readonly #notices = new Counter({
    name: 'mongo2pg_notices_total',
    help: 'Notices of the run, such as reconnects, replaced workers, and collections that failed or were skipped.',
    registers: [this.registry],
  });
  readonly #following = new FollowMetrics(this.registry);
  readonly #verifying = new Set<string>();
  readonly #followed = new Set<string>();

  constructor() {
    for (const server of ['mongodb', 'postgres']) this.#retries.inc({ server }, 0);
  }

  onEvent(event: RunEvent): void {
    if (isNoteworthy(event)) this.#notices.inc();
    switch (event.kind) {
      case 'host-joined':
        // With several hosts, each reports its own work.
        this.registry.setDefaultLabels({ host: event.name });
        return;
      case 'started':
        this.#setState(event.source, 'loading');
        this.#expected.set({ collection: event.source }, event.expectedDocuments);
        setTotal(this.#documents, { collection: event.source }, event.committedDocuments);
        return;
      case 'progress':
        this.#progress(event);
        return;
      case 'worker-died':
        this.#deaths.inc();
        return;
      case 'retried':
        this.#retries.inc({ server: event.server }, event.times);
        return;
      case 'failed':
        this.#setState(event.source, 'failed');
        return;
      case 'finishing':
        this.#setState(event.source, 'finishing');
        return;
      case 'summary':
        this.#setState(event.source, 'finished');
        setTotal(this.#deadLetters, { collection: event.source }, event.deadLettered);
        setTotal(this.#dropped, { collection: event.source }, event.dropped);
        return;
      case 'verifying':
        this.#verifying.add(event.source);
        this.#setState(event.source, 'verifying');
        this.#expected.set({ collection: event.source }, event.expectedDocuments);
        return;
      case 'following':
        this.#following.update(event);
        this.#workers.set(event.liveWorkers);
        for (const { source, endedBy } of event.collections) this.#follow(source, endedBy === null);
        return;
      case 'cut-over':
        for (const source of this.#followed) this.#setState(source, 'cut-over');
        return;
      case 'verified':
        this.#setState(event.source, 'verified');
        this.#differences.set({ collection: event.source }, countDifferences(event));
        return;
      case 'notice':
      case 'skipped':
      case 'index':
      case 'host-waiting':
      case 'lead-taken':
      case 'host-left':
      case 'host-merging':
      case 'host-copied':
      case 'host-compared':
        return;
    }
  }

  #progress(event: ProgressEvent): void {
    const { source } = event;
    const labels = { collection: source };
    if (this.#verifying.has(source)) {
      setTotal(this.#compared, labels, event.documents);
    } else {
      setTotal(this.#documents, labels, event.documents);
      setTotal(this.#deadLetters, labels, event.deadLettered);
      setTotal(this.#dropped, labels, event.dropped);
      setTotal(this.#bytes, labels, event.bytes);
    }
    this.#seconds.set(labels, event.elapsedMs / 1000);
    this.#inFlightBatches.set(event.inFlightBatches);
    this.#inFlightBytes.set(event.inFlightBytes);
    this.#workers.set(event.liveWorkers);
  }

  #follow(source: string, isFollowed: boolean): void {
    if (isFollowed) this.#followed.add(source);
    else this.#followed.delete(source);
    this.#setState(source, isFollowed ? 'following' : 'ended');
  }

  #setState(collection: string, now: State): void {
    for (const state of states) this.#state.set({ collection, state }, state === now ? 1 : 0);
  }

  #counter(name: string, help: string): Counter<'collection'> {
    return new Counter(this.#perCollection(name, help));
  }

  #gauge(name: string, help: string): Gauge<'collection'> {
    return new Gauge(this.#perCollection(name, help));
  }

  /** A gauge for the whole process. With a label per collection, a sum would count the same workers several times. */
  #single(name: string, help: string): Gauge {
    return new Gauge({ name: `mongo2pg_${name}`, help, registers: [this.registry] });
  }

  #perCollection(
    name: string,
    help: string,
  ): { name: string; help: string; labelNames: 'collection'[]; registers: [Registry] } {
    return { name: `mongo2pg_${name}`, help, labelNames: ['collection'], registers: [this.registry] };
  }
}

/** Whether an operator should look at the event. */
function isNoteworthy(event: RunEvent): boolean {
  const { kind } = event;
  if (kind === 'retried') return event.reason !== null;
  if (kind === 'lead-taken' || kind === 'host-left') return true;
  return kind === 'notice' || kind === 'skipped' || kind === 'worker-died' || kind === 'failed';
}

function countDifferences(event: VerifiedEvent): number {
  const { missing, different, extra, extraChildRows, isCountOff } = event;
  // If only the number of rows is wrong, it is not known how many differ.
  return Math.max(missing + different + extra + extraChildRows, isCountOff ? 1 : 0);
}
