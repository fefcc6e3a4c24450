import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { cleanUp, waitUntil } from '../../support/embedded.ts';
import { stepLimitMs } from '../../support/limits.ts';
import { startProxy, type Proxy } from '../../support/tcp-proxy.ts';

interface Echo {
  readonly port: number;
  /** The server's side of its connections, in the order in which they came. */
  readonly accepted: readonly Socket[];
  /** The received bytes. */
  received(): string;
}

/** A server that sends back what it gets, and ends a connection when its client does. */
async function startEcho(t: TestContext): Promise<Echo> {
  const accepted: Socket[] = [];
  const chunks: Buffer[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp(t, async () => {
    for (const socket of accepted) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    port: (server.address() as AddressInfo).port,
    accepted,
    received: () => Buffer.concat(chunks).toString(),
  };
}

async function open(t: TestContext, options: { latencyMs?: number } = {}): Promise<[Proxy, Echo]> {
  const echo = await startEcho(t);
  const proxy = await startProxy({ port: echo.port, ...options });
  cleanUp(t, () => proxy.close());
  return [proxy, echo];
}

async function dial(t: TestContext, proxy: Proxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  cleanUp(t, () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Sends the text and waits until as much has come back. */
async function echoOf(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let back = '';
  while (back.length < text.length) back += String(await once(socket, 'data'));
  return back;
}

async function codeOf(failing: Promise<unknown>): Promise<unknown> {
  const error: unknown = await failing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof Error && 'code' in error ? error.code : error;
}

const limit = { timeout: stepLimitMs };

describe('startProxy', limit, () => {
  it('passes bytes and ends both ways, and counts', async (t) => {
    const [proxy, echo] = await open(t);
    const socket = await dial(t, proxy);
    assert.equal(await echoOf(socket, 'hello'), 'hello');
    assert.deepEqual(proxy.bytes, { toServer: 5, toClient: 5 });
    assert.equal(proxy.connections, 1);
    socket.end();
    await once(socket, 'close');
    assert.equal(echo.accepted.length, 1);
    await waitUntil('the proxy has no connection', () => Promise.resolve(proxy.connections === 0));
  });

  it('replaces host and port of a URL', async (t) => {
    const [proxy] = await open(t);
    assert.equal(
      proxy.url('postgres://user:secret@db.example:5432/school?sslmode=disable'),
      `postgres://user:secret@127.0.0.1:${proxy.port}/school?sslmode=disable`,
    );
    assert.equal(
      proxy.url('mongodb://127.0.0.1:27017/'),
      `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`,
    );
  });

  it('forwards large streams completely to a slow reader', async (t) => {
    const [proxy] = await open(t);
    const socket = await dial(t, proxy);
    const sent = randomBytes(16 * 2 ** 20);
    socket.pause();
    socket.end(sent);
    // Nothing is read until all buffers are full.
    await waitUntil('the proxy hands on', () => Promise.resolve(proxy.bytes.toClient > 0));
    const hash = createHash('sha256');
    for await (const chunk of socket as AsyncIterable<Buffer>) hash.update(chunk);
    assert.equal(hash.digest('hex'), createHash('sha256').update(sent).digest('hex'));
  });

  it('drops everything while silent, forever on the connections of that time', async (t) => {
    const [proxy, echo] = await open(t);
    const [speaker, leaver] = [await dial(t, proxy), await dial(t, proxy)];
    await echoOf(speaker, 'before ');
    await echoOf(leaver, 'before ');
    proxy.goSilent();
    let heard = '';
    speaker.on('data', (chunk) => (heard += String(chunk)));
    speaker.write('lost ');
    leaver.destroy();
    echo.accepted[0]?.write('lost ');
    const late = await dial(t, proxy);
    late.on('data', (chunk) => (heard += String(chunk)));
    late.write('lost ');
    await proxy.restore();
    speaker.write('lost ');
    await echoOf(await dial(t, proxy), 'after');
    assert.equal(echo.received(), 'before before after');
    assert.equal(heard, '');
    assert.equal(echo.accepted[1]?.readableEnded, false, 'the server knows nothing of the client that left');
    assert.equal(echo.accepted[1].destroyed, false);
  });

  it('drops one direction only, if requested', async (t) => {
    const [proxy, echo] = await open(t);
    const socket = await dial(t, proxy);
    assert.equal(await echoOf(socket, 'both ways'), 'both ways');
    let back = '';
    socket.on('data', (chunk) => (back += String(chunk)));
    proxy.goSilent('toClient');
    socket.write(', one way');
    await waitUntil('the server has it', () => Promise.resolve(echo.received() === 'both ways, one way'));
    await proxy.restore();
    assert.equal(await echoOf(await dial(t, proxy), 'and a new one'), 'and a new one');
    assert.equal(back, '');
  });

  it('resets all connections on both sides, also silent ones', async (t) => {
    const [proxy, echo] = await open(t);
    const socket = await dial(t, proxy);
    await echoOf(socket, 'before');
    const [acceptedSocket] = echo.accepted;
    assert.ok(acceptedSocket !== undefined);
    proxy.goSilent();
    const ends = [codeOf(once(socket, 'end')), codeOf(once(acceptedSocket, 'end'))];
    proxy.cut();
    assert.deepEqual(await Promise.all(ends), ['ECONNRESET', 'ECONNRESET']);
  });

  it("forwards a peer's reset as a reset", async (t) => {
    const [proxy, echo] = await open(t);
    const socket = await dial(t, proxy);
    await echoOf(socket, 'before');
    const end = codeOf(once(socket, 'end'));
    echo.accepted[0]?.resetAndDestroy();
    assert.equal(await end, 'ECONNRESET');
  });

  it('refuses new connections and keeps the old, until restored', async (t) => {
    const [proxy] = await open(t);
    const old = await dial(t, proxy);
    await echoOf(old, 'before');
    proxy.refuse();
    assert.equal(await codeOf(dial(t, proxy)), 'ECONNREFUSED');
    assert.equal(await echoOf(old, 'during'), 'during');
    await proxy.restore();
    assert.equal(await echoOf(await dial(t, proxy), 'after'), 'after');
  });

  it('adds its latency to a round trip, and keeps the order', async (t) => {
    const latencyMs = 40;
    const [proxy] = await open(t, { latencyMs });
    const socket = await dial(t, proxy);
    const startedMs = performance.now();
    await echoOf(socket, 'x');
    // A timer may fire up to a millisecond early, each way.
    assert.ok(performance.now() - startedMs >= latencyMs - 2);
    const text = Array.from({ length: 1000 }, (_, index) => `${index} `).join('');
    assert.equal(await echoOf(socket, text), text);
  });
});
