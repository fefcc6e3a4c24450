import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { waitUntil } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { act, assertCode, setScene } from '../../support/fault.ts';

/** The value of a metric for this test's collection, or of one without labels. */
function read(text: string, name: string, labels = ''): number {
  const line = text
    .split('\n')
    .find(
      (other) => other.startsWith(`mongo2pg_${name}${labels === '' ? '' : '{'}`) && other.includes(labels),
    );
  assert.ok(line !== undefined, `${name} ${labels} in\n${text}`);
  return Number(line.split(' ').at(-1));
}

describe('metrics', () => {
  it('show a running run, and end with it', async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, {
      'primary-after-ack': 'pause@20',
      'worker-before-claim': 'error@4',
    });
    let url = '';
    let isDead = false;
    const running = act(scene.start({ ...failpoints.env, METRICS_PORT: '0' }), (event) => {
      isDead ||= event.kind === 'worker-died';
      if (event.kind === 'notice') url ||= /http:\S+/.exec(event.message)?.[0] ?? '';
    });
    await failpoints.waitUntilFired('primary-after-ack');
    // The other worker may have done all of the work before a process has ended.
    await waitUntil('a death is reported', () => Promise.resolve(isDead));
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    const response = await fetch(url);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    const collection = `collection="${scene.collection.namespace}"`;
    const documents = read(text, 'documents_total', collection);
    assert.ok(documents > 0 && documents < 3_000);
    assert.equal(read(text, 'expected_documents', collection), 3_000);
    assert.equal(read(text, 'dead_letters_total', collection), 0);
    assert.equal(read(text, 'worker_deaths_total'), 1);
    assert.equal(read(text, 'state', `${collection},state="loading"`), 1);
    assert.equal(read(text, 'state', `${collection},state="finished"`), 0);
    assert.equal((await fetch(url.replace('/metrics', '/healthz'))).status, 200);
    assert.equal((await fetch(url.replace('/metrics', '/readyz'))).status, 200);
    assert.equal((await fetch(`${url}?name[]=mongo2pg_state`)).status, 200);
    assert.equal((await fetch(url.replace('/metrics', '/other'))).status, 404);
    await failpoints.resume('primary-after-ack');
    assertCode(await running, 0);
    await assert.rejects(fetch(url), 'the server has ended with the run');
    await scene.assertEqual();
  });

  it('on a port in use are refused, and nothing is begun', async (t) => {
    const scene = await setScene(t, 10);
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      const run = await scene.run({ METRICS_PORT: String(port) });
      assertCode(run, ExitCode.usage);
      assert.match(
        run.stderr,
        /metrics cannot be served at 127\.0\.0\.1:\d+ \(EADDRINUSE\) — choose another METRICS_PORT/,
      );
      const [table] = await scene.query<{ name: string | null }>("SELECT to_regclass('things') AS name");
      assert.equal(table?.name, null);
    } finally {
      other.close();
    }
  });
});
