/** Serves what a run tells as Prometheus metrics, for as long as the command runs (prom-client only here). */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import { UsageError } from './errors.ts';
import type { RunEvent } from './events.ts';

export interface Metrics {
  /** Where they are: `http://127.0.0.1:9464/metrics`. */
  readonly url: string;
  onEvent(event: RunEvent): void;
  close(): Promise<void>;
}

const states = ['planning', 'loading', 'finishing', 'finished', 'verifying', 'verified'] as const;
type State = (typeof states)[number];

/** @throws UsageError when the port cannot be had */
export async function serveMetrics(host: string, port: number): Promise<Metrics> {
  const collected = new CollectedMetrics();
  const server = createServer((request, response) => {
    void answer(collected.registry, request.url ?? '').then(({ status, type, body }) => {
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
      collected.update(event);
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

class CollectedMetrics {
  readonly registry = new Registry();
  readonly #settled = this.#gauge('documents', 'Documents committed, as rows or as dead letters.');
  readonly #deadLetters = this.#gauge('dead_letters', 'Documents that became dead letters.');
  readonly #bytes = this.#gauge('bytes', 'BSON bytes of these documents.');
  readonly #expected = this.#gauge('expected_documents', 'About how many documents there are.');
  readonly #inFlightBatches = this.#gauge('in_flight_batches', 'Batches read and not yet committed.');
  readonly #inFlightBytes = this.#gauge('in_flight_bytes', 'Their bytes.');
  readonly #workers = this.#gauge('workers', 'Workers that live.');
  readonly #seconds = this.#gauge('load_seconds', 'Time since reading began.');
  readonly #deaths = new Counter({
    name: 'mongo2pg_worker_deaths_total',
    help: 'Workers that ended before they were told to.',
    registers: [this.registry],
  });
  readonly #notices = new Counter({
    name: 'mongo2pg_notices_total',
    help: 'Notices of the run: connections made anew, workers replaced, and the like.',
    registers: [this.registry],
  });
  readonly #state = new Gauge({
    name: 'mongo2pg_state',
    help: '1 for the state that a collection is in.',
    labelNames: ['collection', 'state'],
    registers: [this.registry],
  });

  update(event: RunEvent): void {
    switch (event.kind) {
      case 'notice':
        this.#notices.inc();
        return;
      case 'started':
        this.#setState(event.source, 'loading');
        this.#expected.set({ collection: event.source }, event.expectedDocuments);
        this.#settled.set({ collection: event.source }, event.committedDocuments);
        return;
      case 'progress': {
        const labels = { collection: event.source };
        this.#settled.set(labels, event.documents);
        this.#deadLetters.set(labels, event.deadLettered);
        this.#bytes.set(labels, event.bytes);
        this.#seconds.set(labels, event.elapsedMs / 1000);
        this.#inFlightBatches.set(labels, event.inFlightBatches);
        this.#inFlightBytes.set(labels, event.inFlightBytes);
        this.#workers.set(labels, event.liveWorkers);
        return;
      }
      case 'worker-died':
        this.#deaths.inc();
        return;
      case 'finishing':
        this.#setState(event.source, 'finishing');
        return;
      case 'summary':
        this.#setState(event.source, 'finished');
        this.#deadLetters.set({ collection: event.source }, event.deadLettered);
        return;
      case 'verifying':
        this.#setState(event.source, 'verifying');
        return;
      case 'verified':
        this.#setState(event.source, 'verified');
        return;
      case 'index':
        return;
    }
  }

  #setState(collection: string, now: State): void {
    for (const state of states) this.#state.set({ collection, state }, state === now ? 1 : 0);
  }

  #gauge(name: string, help: string): Gauge<'collection'> {
    return new Gauge({
      name: `mongo2pg_${name}`,
      help,
      labelNames: ['collection'],
      registers: [this.registry],
    });
  }
}
