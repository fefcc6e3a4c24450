import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import type { LiveState } from '../../../src/observe/live/live-state.ts';
import { noBrowser, openInBrowser, type OpenPage } from '../../support/browser.ts';
import { readEvents, startCli } from '../../support/cli.ts';
import { waitUntil } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { startFollowing, untilMerged } from '../../support/follow.ts';
import { testLimitMs } from '../../support/limits.ts';
import { watchEvents } from '../../support/server-sent-events.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

/** An injection: closes the page's elements and opens its own if it is not escaped. */
const hostileName = `</script><img src=x onerror="document.title='owned'">"'&amp;`;

describe('the live page of a job', () => {
  let sandbox: Sandbox;
  let env: Readonly<Record<string, string>>;
  before(async () => {
    sandbox = await createSandbox();
    env = { ...sandbox.env, METRICS_PORT: '0', CLUSTER_SIZE: '2', CLUSTER_IMPLEMENTATION: 'inline' };
    const documents = Array.from({ length: 2_000 }, (_, index) => ({ _id: index as never, index }));
    await sandbox.db.collection('numbers').insertMany(documents);
    await sandbox.db.collection(hostileName).insertMany(documents.slice(0, 100));
  });
  after(async () => {
    await sandbox.remove();
  });

  /** Checks that the page made only its own requests, and reported no errors. */
  function assertQuiet({ requests, complaints }: OpenPage, url: string): void {
    assert.deepEqual(complaints, []);
    const asked = requests.filter((one) => !one.startsWith('data:'));
    assert.deepEqual(asked, [url, `${url}events`]);
  }

  const cells = (page: OpenPage): Promise<string[][]> =>
    page.evaluate(
      `Array.from(document.querySelectorAll('#collections tbody tr'), (row) => Array.from(row.cells, (cell) => cell.textContent))`,
    );

  it(
    'shows a copy in a browser: progress, speed and workers, and that it has ended',
    { skip: noBrowser, timeout: testLimitMs },
    async (t) => {
      const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@20' });
      const settings = { MONGO_COLLECTION: `numbers,${hostileName.slice(0, 9)}*`, ITEMS_PER_PAGE: '50' };
      const run = startCli(['--json', '--if-exists', 'drop', '--restart'], {
        ...{ ...env, ...settings, ...failpoints.env },
      });
      const url = await readUrl(run.process);
      await failpoints.waitUntilFired('primary-after-ack');
      const page = await openInBrowser(t, new URL(url));
      await waitUntil('the collections are shown', async () => (await cells(page)).length > 0);
      const [first = []] = await cells(page);
      assert.equal(first.length, 7, first.join());
      const plot = await page.evaluate<{ width: number; height: number; painted: boolean }>(
        `(() => {
          const canvas = document.querySelector('#speed canvas');
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return { width: canvas.width, height: canvas.height, painted: data.some((value) => value !== 0) };
        })()`,
      );
      assert.ok(plot.painted && plot.height > 100 && plot.width > 100, JSON.stringify(plot));
      assert.equal(await page.evaluate(`document.getElementById('lag').hidden`), true, 'nothing is followed');
      const workers = await page.evaluate<number>(`document.querySelectorAll('#workers tbody tr').length`);
      assert.ok(workers > 0 && workers <= 2, `${workers} workers`);

      await failpoints.resume('primary-after-ack');
      const { code, stderr } = await run.result;
      assert.equal(code, 0, stderr);
      await waitUntil('the end is shown', async () => (await text(page, 'state')) === 'ended');
      const all = await cells(page);
      assert.equal(all.length, 2);
      assert.ok(
        all.every(([, state]) => state === 'finished'),
        JSON.stringify(all),
      );
      assert.ok(
        all.some(([name]) => name?.includes(hostileName)),
        `the name stays text: ${JSON.stringify(all)}`,
      );
      assert.ok(
        all.some(([, , , documents]) => documents === '2,000 / 2,000'),
        JSON.stringify(all),
      );
      assert.match(await page.evaluate('document.title'), /^mongo2pg: ended · /);
      assertQuiet(page, url);
    },
  );

  it(
    'shows in a browser what is followed: lag, changes, and what prevents a cutover',
    { skip: noBrowser, timeout: testLimitMs },
    async (t) => {
      const settings = { MONGO_COLLECTION: 'numbers', IF_EXISTS: 'drop', RESTART: 'true' };
      const job = startFollowing({ ...env, ...settings });
      const url = await untilUrl(job);
      await job.until('following');
      const page = await openInBrowser(t, new URL(url));
      await waitUntil('one can cut over', async () => (await text(page, 'cut-over')) === 'Can cut over: yes');
      const numbers = sandbox.db.collection<{ _id: number }>('numbers');
      await numbers.insertMany([{ _id: 5_000 }, { _id: 5_001 }, { _id: 5_002 }]);
      await numbers.updateMany({ _id: { $lt: 5 } }, { $set: { index: -1 } });
      await numbers.deleteOne({ _id: 10 });
      await untilMerged(sandbox, job);
      await waitUntil('the changes are shown', async () => {
        const [row = []] = await cells(page);
        return row.slice(-4).join() === '0,3,5,1';
      });
      const [row = []] = await cells(page);
      assert.equal(row[1], 'following');
      for (const id of ['speed', 'lag', 'journal']) {
        assert.equal(await page.evaluate(`document.getElementById('${id}').hidden`), false, id);
      }
      assert.equal(await text(page, 'state'), 'caught up');
      assert.equal(await text(page, 'more-workers'), '2 of 2 live');

      const { code } = await job.stop();
      assert.equal(code, 130);
      await waitUntil('the end is shown', async () => (await text(page, 'state')) === 'stopped by SIGINT');
      assert.equal(await text(page, 'cut-over'), 'Could cut over: yes');
      assertQuiet(page, url);
    },
  );

  it('serves the state of following by plain HTTP', async () => {
    const settings = { MONGO_COLLECTION: 'numbers', IF_EXISTS: 'drop', RESTART: 'true' };
    const job = startFollowing({ ...env, ...settings });
    const url = await untilUrl(job);
    await job.until('following');
    const { next } = await watchEvents(`${url}events`);
    let state: LiveState | undefined;
    while (state?.following == null) {
      state = JSON.parse((await next())?.data ?? assert.fail('it ended')) as LiveState;
    }
    assert.match(state.following.source, /\.numbers$/);
    assert.deepEqual(state.following.obstacles, []);
    assert.ok(state.collections.some(({ state: one }) => one === 'following'));
    const metrics = await (await fetch(`${url}metrics`)).text();
    assert.match(metrics, /^mongo2pg_can_cut_over 1$/m);
    assert.match(metrics, /^mongo2pg_lag_seconds \d+$/m);
    await job.stop();
    let last = await next();
    while (last?.name === 'message') last = await next();
    assert.equal((JSON.parse(last?.data ?? '{}') as LiveState).end, 'stopped by SIGINT');
  });
});

async function text(page: OpenPage, id: string): Promise<string> {
  return await page.evaluate(`document.getElementById('${id}').textContent`);
}

const notice = /to watch in a browser: (http:\S+)/;

async function readUrl(process: ChildProcess): Promise<string> {
  let url: string | undefined;
  for await (const event of readEvents(process)) {
    url = event.kind === 'notice' ? notice.exec(event.message)?.[1] : undefined;
    if (url !== undefined) break;
  }
  // Reading must continue: a full pipe would block the run.
  process.stdout?.resume();
  return url ?? assert.fail('it did not say where');
}

async function untilUrl(job: ReturnType<typeof startFollowing>): Promise<string> {
  const { message } = await job.until('notice', (event) => notice.test(event.message));
  return notice.exec(message)?.[1] ?? assert.fail(message);
}
