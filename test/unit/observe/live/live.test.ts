import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import type { LiveState } from '../../../../src/observe/live/live-state.ts';
import { serveLive, type Live } from '../../../../src/observe/live/live.ts';
import { cleanUp } from '../../../support/embedded.ts';
import { following } from '../../../support/following-event.ts';
import { stepLimitMs } from '../../../support/limits.ts';
import { watchEvents } from '../../../support/server-sent-events.ts';
import { TickingClock } from '../../../support/ticking-clock.ts';

async function serve(t: TestContext): Promise<{ live: Live; clock: TickingClock; end: typeof live.close }> {
  const clock = new TickingClock();
  const live = await serveLive('127.0.0.1', 0, clock);
  let isClosed = false;
  const end = async (reason: string): Promise<void> => {
    isClosed = true;
    await live.close(reason);
  };
  cleanUp(t, async () => {
    if (!isClosed) await live.close('');
  });
  return { live, clock, end };
}

async function ask(
  url: string,
  { method = 'GET', host = new URL(url).host } = {},
): Promise<{ response: IncomingMessage; body: string }> {
  const asked = request(url, { method, headers: { host }, agent: false }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  // A stream of events does not end.
  if (response.headers['content-type'] === 'text/event-stream' && method === 'GET') {
    response.destroy();
    return { response, body: '' };
  }
  return { response, body: await text(response) };
}

function parse(data: string | undefined): LiveState {
  return JSON.parse(data ?? assert.fail('the stream has ended')) as LiveState;
}

describe('the live page', () => {
  it('runs nothing but its own scripts, and refers to nothing outside', async (t) => {
    const { live } = await serve(t);
    const { response, body } = await ask(live.url);
    const policy = String(response.headers['content-security-policy']);
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? assert.fail(policy);
    assert.match(policy, /^default-src 'none';/);
    assert.doesNotMatch(policy, /unsafe/);
    const elements = body.match(/<(script|style)[ >][^>]*/g) ?? [];
    assert.equal(elements.length, 4);
    for (const element of elements) assert.ok(element.includes(`nonce="${nonce}"`), element);
    assert.match(body, /var uPlot=/, 'what draws the plots is in it');
    assert.doesNotMatch(body.replace(/<script[^]*?<\/script>/g, ''), /https?:|@import|url\(/);
    assert.deepEqual(
      [...body.matchAll(/ (?:src|href)="([^"]*)"/g)].map(([, url]) => url),
      ['data:,'],
    );
    const again = await ask(live.url);
    assert.ok(!String(again.response.headers['content-security-policy']).includes(nonce), 'a nonce is new');
  });

  it('only reads', async (t) => {
    const { live } = await serve(t);
    for (const path of ['', 'events', 'metrics', 'healthz']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const { response } = await ask(`${live.url}${path}`, { method });
        assert.deepEqual(
          [response.statusCode, response.headers.allow],
          [405, 'GET, HEAD'],
          `${method} ${path}`,
        );
      }
      const { response, body } = await ask(`${live.url}${path}`, { method: 'HEAD' });
      assert.deepEqual([response.statusCode, body], [200, ''], path);
    }
    assert.equal((await ask(`${live.url}other`)).response.statusCode, 404);
  });

  it('answers probes of liveness and readiness', async (t) => {
    const { live } = await serve(t);
    assert.equal((await ask(`${live.url}healthz`)).response.statusCode, 200);
    const early = await ask(`${live.url}readyz`);
    assert.deepEqual([early.response.statusCode, early.body], [503, 'nothing is copied yet\n']);
    const reason = 'no route to postgres://app:secret@host/db';
    live.onEvent?.({ kind: 'retried', server: 'postgres', times: 1, reason });
    assert.doesNotMatch((await ask(`${live.url}readyz`)).body, /secret/);
    live.onEvent?.(following());
    assert.equal((await ask(`${live.url}readyz`)).response.statusCode, 200);
  });

  it('is refused under another host name', async (t) => {
    const { live } = await serve(t);
    const { port } = new URL(live.url);
    for (const path of ['', 'events']) {
      for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', '10.0.0.1']) {
        assert.equal(
          (await ask(`${live.url}${path}`, { host })).response.statusCode,
          421,
          `${path} of ${host}`,
        );
      }
      for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, '[::1]:80', 'LOCALHOST']) {
        assert.equal(
          (await ask(`${live.url}${path}`, { host })).response.statusCode,
          200,
          `${path} of ${host}`,
        );
      }
    }
    const metrics = await ask(`${live.url}metrics`, { host: 'prometheus.example' });
    assert.equal(metrics.response.statusCode, 200, 'a scraper may come by any name');
  });

  it('sends the state immediately, the latest one each second, and why the job has ended', async (t) => {
    const { live, clock, end } = await serve(t);
    const { next } = await watchEvents(`${live.url}events`);
    assert.equal(parse((await next())?.data).following, null);
    live.onEvent?.(following({ lagMs: 9_000 }));
    live.onEvent?.(following({ lagMs: 4_000, obstacles: ['4 s behind'] }));
    clock.pass(1_000);
    const second = parse((await next())?.data);
    assert.equal(second.following?.lagMs, 4_000);
    assert.deepEqual(second.following.obstacles, ['4 s behind']);
    assert.equal(second.end, null);
    const ended = end('stopped by SIGINT');
    const last = await next();
    assert.equal(last?.name, 'end');
    assert.equal(parse(last.data).end, 'stopped by SIGINT');
    assert.equal(await next(), undefined, 'the connection is closed');
    await ended;
  });

  it('contains no passwords, and no invisible characters', async (t) => {
    const { live } = await serve(t);
    live.onEvent?.({ kind: 'notice', message: 'mongodb://user:secret@host/db\u202E is away' });
    live.onEvent?.({ kind: 'skipped', source: 'a.b\u0000\u202Ec', reason: 'postgres://u:secret@host/db' });
    const { next, response } = await watchEvents(`${live.url}events`);
    const data = (await next())?.data ?? '';
    response.destroy();
    assert.doesNotMatch(data, /secret|\u202E/);
    assert.deepEqual(parse(data).notices, ['mongodb://user:***@host/db\\u{202e} is away']);
    assert.equal(parse(data).collections[0]?.source, 'a.b\\u{0}\\u{202e}c');
  });

  it('keeps only the latest state for a browser that does not read', { timeout: stepLimitMs }, async (t) => {
    const { live, clock, end } = await serve(t);
    for (let number = 0; number < 20; number++) {
      live.onEvent?.({ kind: 'notice', message: 'x'.repeat(5_000) });
    }
    const socket = connect(Number(new URL(live.url).port), '127.0.0.1');
    cleanUp(t, () => socket.destroy());
    await once(socket, 'connect');
    socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await once(socket, 'readable');
    // States of 100 kB each, with time to be sent.
    const ticks = 300;
    for (let tick = 0; tick < ticks; tick++) {
      clock.pass(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    live.onEvent?.({ kind: 'notice', message: 'the last one' });
    const closed = end('all is over');
    let received = '';
    for await (const part of socket.setEncoding('utf8')) received += String(part);
    await closed;
    const states = received.split('data: ').length - 1;
    assert.ok(states < ticks / 2, `${states} of ${ticks} states were kept for it`);
    assert.match(received, /the last one/);
    assert.match(received, /all is over/);
  });

  it('does not delay the end of the job', { timeout: stepLimitMs }, async (t) => {
    const { live, clock, end } = await serve(t);
    const { response } = await watchEvents(`${live.url}events`);
    response.pause();
    for (let number = 0; number < 20; number++) {
      live.onEvent?.({ kind: 'notice', message: 'x'.repeat(1_000_000) });
    }
    clock.pass(1_000);
    await end('');
    assert.ok(clock.isIdle, 'no more is sent');
    response.destroy();
  });

  it('sends nothing while nobody watches, and refuses more than it can serve', async (t) => {
    const { live, clock } = await serve(t);
    const isIdle = (): boolean => clock.isIdle;
    assert.ok(isIdle());
    const watchers = await Promise.all(Array.from({ length: 50 }, () => watchEvents(`${live.url}events`)));
    assert.equal((await ask(`${live.url}events`)).response.statusCode, 503);
    assert.ok(!isIdle());
    for (const { response } of watchers) response.destroy();
    while (!isIdle()) await new Promise((resolve) => setImmediate(resolve));
    const { response } = await ask(`${live.url}events`);
    assert.equal(response.statusCode, 200);
  });
});
