/** Serves the live page and the Prometheus metrics while the command runs. Read-only. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, type Clock } from '../../common/clock.ts';
import { UsageError } from '../../common/errors.ts';
import { redact } from '../../common/redact.ts';
import type { JobListener } from '../listeners.ts';
import { CollectedMetrics } from '../metrics.ts';
import { showInvisible } from '../report/html.ts';
import { Broadcast, maxWatchers } from './broadcast.ts';
import { JobRecorder } from './job-recorder.ts';
import { isLoopback, namesLoopback } from './loopback.ts';
import { Readiness } from './readiness.ts';
import { policyOf, writeLivePage } from './page.ts';

export interface Live extends JobListener {
  /** The URL of the page, such as `http://127.0.0.1:9464/`. The metrics are at `metrics` below it. */
  readonly url: string;
  /** @param reason why the command ended early; empty if it did not */
  close(reason: string): Promise<void>;
}

/** @throws UsageError if the port is not available */
export async function serveLive(host: string, port: number, clock: Clock = systemClock): Promise<Live> {
  const metrics = new CollectedMetrics();
  const recorder = new JobRecorder(clock);
  const broadcast = new Broadcast(clock, () => JSON.stringify(recorder.read(), showSafely));
  const readiness = new Readiness(clock);
  const server = createServer();
  await listen(server, host, port);
  // Open connections of watchers do not keep the process alive.
  server.unref();
  // Read now, because a server that is being closed has no address.
  const address = server.address() as AddressInfo;
  const shown: Shown = { metrics, broadcast, readiness, isPrivate: isLoopback(address.address) };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void answer(request, response, shown).catch((error: unknown) => {
      if (!response.headersSent) send(response, 500, 'text/plain', `${redact(String(error))}\n`);
      else response.destroy();
    });
  });
  return {
    url: `http://${address.address.includes(':') ? `[${address.address}]` : address.address}:${address.port}/`,
    onEvent: (event) => {
      metrics.onEvent(event);
      recorder.onEvent(event);
      readiness.onEvent(event);
    },
    onRun: () => recorder.onRun(),
    close: async (reason) => {
      recorder.end(reason);
      const closed = once(server, 'close');
      server.close();
      await broadcast.end();
      server.closeAllConnections();
      await closed;
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

interface Shown {
  readonly metrics: CollectedMetrics;
  readonly broadcast: Broadcast;
  readonly readiness: Readiness;
  /** Reachable from this machine only. */
  readonly isPrivate: boolean;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, broadcast, readiness, isPrivate }: Shown,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    send(response, 405, 'text/plain', 'there is nothing to do here but to read\n');
    return;
  }
  // Without the query: Prometheus may send one.
  const [path = ''] = (request.url ?? '').split('?');
  if ((path === '/' || path === '/events') && isPrivate && !namesLoopback(request.headers.host)) {
    send(response, 421, 'text/plain', 'the page is shown at 127.0.0.1 and localhost alone\n');
    return;
  }
  switch (path) {
    case '/healthz':
      send(response, 200, 'text/plain', 'ok\n');
      return;
    case '/readyz': {
      const reason = readiness.read();
      // A reason may be an error of a driver, with a URL in it.
      if (reason === null) send(response, 200, 'text/plain', 'ok\n');
      else send(response, 503, 'text/plain; charset=utf-8', `${showInvisible(redact(reason))}\n`);
      return;
    }
    case '/metrics':
      send(response, 200, metrics.registry.contentType, await metrics.registry.metrics());
      return;
    case '/': {
      const nonce = randomBytes(16).toString('base64');
      response.setHeader('content-security-policy', policyOf(nonce));
      send(response, 200, 'text/html; charset=utf-8', await writeLivePage(nonce));
      return;
    }
    case '/events':
      if (broadcast.watchers >= maxWatchers) {
        send(response, 503, 'text/plain', 'too many watch already\n');
        return;
      }
      response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
      if (request.method === 'HEAD') response.end();
      else broadcast.add(response);
      return;
    default:
      send(response, 404, 'text/plain', 'there are /, /metrics, /healthz and /readyz\n');
  }
}

/** No caching, no guessing of the type, no access from pages of other origins. */
const headers = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { ...headers, 'content-type': type }).end(body);
}

/** Hides passwords in messages, and shows invisible characters in names. */
function showSafely(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? showInvisible(redact(value)) : value;
}
