/** Serves what a run tells as Prometheus metrics, for as long as the command runs (prom-client only here). */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import { UsageError } from '../common/errors.ts';
import type { ProgressEvent, RunEvent, VerifiedEvent } from './events.ts';
import type { JobListener } from './listeners.ts';

export interface Metrics extends JobListener {
  /** Where they are: `http://127.0.0.1:9464/metrics`. */
  readonly url: string;
  close(): Promise<void>;
}

const states = ['loading', 'finishing', 'finished', 'verifying', 'verified', 'failed'] as const;
type State = (typeof states)[number];

/** @throws UsageError when the port cannot be had */
export async function serveMetrics(host: string, port: number): Promise<Metrics> {
  const collected = new CollectedMetrics();
  const server = createServer((request, response) => {
    // What follows a question mark is for servers that filter.
    const [path = ''] = (request.url ?? '').split('?');
    void answer(collected.registry, path)
      .catch((error: unknown) => ({ status: 500, type: 'text/plain', body: `${String(error)}\n` }))
      .then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type }).end(body);
      });
  });
  await listen(server, host, port);
  // Whoever scrapes is no reason to go on.
  server.unref();
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.address.includes(':') ? `[${address.address}]` : address.address}:${address.port}/metrics`,
    onEvent: (event) => {
      collected.onEvent(event);
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    throw new UsageError(
      `metrics cannot be served at ${host}:${port} (${String((error as NodeJS.ErrnoException).code)})`,
      {
        code: 'METRICS_NOT_SERVED',
        fix: 'choose another METRICS_PORT (0 takes a free one) or METRICS_HOST.',
        cause: error,
      },
    );
  }
}

async function answer(
  registry: Registry,
  path: string,
): Promise<{ status: number; type: string; body: string }> {
  if (path === '/healthz') return { status: 200, type: 'text/plain', body: 'ok\n' };
  if (path === '/metrics') return { status: 200, type: registry.contentType, body: await registry.metrics() };
  return { status: 404, type: 'text/plain', body: 'there are /metrics and /healthz\n' };
}

/** Named by the conventions of Prometheus: what only grows ends with `_total`, and a unit is named. */
export class CollectedMetrics implements JobListener {
  readonly registry = new Registry();
  readonly #documents = this.#counter('documents_total', 'Documents committed, as rows or as dead letters.');
  readonly #deadLetters = this.#counter('dead_letters_total', 'Documents that became dead letters.');
  readonly #bytes = this.#counter('document_bytes_total', 'Bytes of BSON of the documents committed.');
  readonly #compared = this.#counter('compared_documents_total', 'Documents that verify has compared.');
  readonly #expected = this.#gauge('expected_documents', 'About how many documents there are.');
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
    help: 'Times that a server was away or refused for now, and the work was done again.',
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
  readonly #verifying = new Set<string>();

  constructor() {
    for (const server of ['mongodb', 'postgres']) this.#retries.inc({ server }, 0);
  }

  onEvent(event: RunEvent): void {
    if (isOfNotice(event)) this.#notices.inc();
    switch (event.kind) {
      case 'started':
        this.#setState(event.source, 'loading');
        this.#expected.set({ collection: event.source }, event.expectedDocuments);
        setTotal(this.#documents, event.source, event.committedDocuments);
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
        setTotal(this.#deadLetters, event.source, event.deadLettered);
        return;
      case 'verifying':
        this.#verifying.add(event.source);
        this.#setState(event.source, 'verifying');
        this.#expected.set({ collection: event.source }, event.expectedDocuments);
        return;
      case 'following':
      case 'cut-over':
        return;
      case 'verified':
        this.#setState(event.source, 'verified');
        this.#differences.set({ collection: event.source }, countDifferences(event));
        return;
      case 'notice':
      case 'skipped':
      case 'index':
        return;
    }
  }

  #progress(event: ProgressEvent): void {
    const { source } = event;
    if (this.#verifying.has(source)) {
      setTotal(this.#compared, source, event.documents);
    } else {
      setTotal(this.#documents, source, event.documents);
      setTotal(this.#deadLetters, source, event.deadLettered);
      setTotal(this.#bytes, source, event.bytes);
    }
    this.#seconds.set({ collection: source }, event.elapsedMs / 1000);
    this.#inFlightBatches.set(event.inFlightBatches);
    this.#inFlightBytes.set(event.inFlightBytes);
    this.#workers.set(event.liveWorkers);
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

  /** Of the whole process: summed over collections it would count the same more than once. */
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

/** What a person should know, whatever the event: an operator asks whether there was something. */
function isOfNotice(event: RunEvent): boolean {
  const { kind } = event;
  if (kind === 'retried') return event.reason !== null;
  return kind === 'notice' || kind === 'skipped' || kind === 'worker-died' || kind === 'failed';
}

function countDifferences(event: VerifiedEvent): number {
  const { missing, different, extra, extraChildRows, isCountOff } = event;
  // Where only the number of rows tells, nobody knows how many differ.
  return Math.max(missing + different + extra + extraChildRows, isCountOff ? 1 : 0);
}

/** Events tell totals. One that is less than before, as when a crash of Postgres took commits back, reads as a reset. */
function setTotal(counter: Counter<'collection'>, collection: string, total: number): void {
  counter.remove({ collection });
  counter.inc({ collection }, total);
}
