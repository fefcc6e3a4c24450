import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { noBrowser, openInBrowser } from '../../support/browser.ts';
import { pool, readEvents, runCli, startCli } from '../../support/cli.ts';
import { makeDirectory } from '../../support/embedded.ts';
import { startFollowing, untilMerged } from '../../support/follow.ts';
import { testLimitMs } from '../../support/limits.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

/** An injection: closes the page's elements and opens its own if it is not escaped. */
const hostileName = `</script><img src=x onerror="document.title='owned'">"'&amp;`;

describe('--report', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: 5_000 }, (_, index) => ({ _id: index as never, index }));
    await sandbox.db.collection('numbers').insertMany(documents);
    await sandbox.db.collection(hostileName).insertMany(documents.slice(0, 100));
  });
  after(async () => {
    await sandbox.remove();
  });

  const env = (): Record<string, string> => ({
    ...sandbox.env,
    MONGO_COLLECTION: 'numbers',
    CLUSTER_SIZE: '2',
    ITEMS_PER_PAGE: '100',
    IF_EXISTS: 'drop',
    RESTART: 'true',
  });

  it('writes a page with the numbers of the summary', async (t) => {
    const file = join(await makeDirectory(t), 'report.html');
    const { code, stdout, stderr } = await runCli(['--report', file], env());
    assert.equal(code, 0, stderr);
    const page = await readFile(file, 'utf8');
    assert.match(stdout, /read 5,000 = copied 5,000/);
    assert.match(page, /Rows copied<\/dt>\s*<dd>\s*5,000/);
    const [speed = ''] = /[\d,]+(?= docs\/s)/.exec(stdout) ?? [];
    assert.ok(page.includes(`${speed} <small>`), `the page has the speed of the summary, ${speed}`);
    const [, bottleneck = ''] = /^ {2}(.*bottleneck.*|Too small.*)$/m.exec(stdout) ?? [];
    assert.ok(bottleneck !== '', stdout);
    assert.ok(page.includes(bottleneck.replaceAll("'", '&#39;')), `the page has "${bottleneck}"`);
  });

  it('reports dead letters, as the exit code does', async (t) => {
    const file = join(await makeDirectory(t), 'report.html');
    await sandbox.db.collection('nul').insertMany([{ text: 'fine' }, { text: 'a\0b' }]);
    const { code } = await runCli(['--report', file], { ...env(), MONGO_COLLECTION: 'nul' });
    assert.equal(code, 5);
    const states = (await readFile(file, 'utf8')).matchAll(/class="state bad">([^<]*)</g);
    assert.deepEqual(
      Array.from(states, ([, word]) => word),
      ['complete, with dead letters', 'copied, with dead letters'],
    );
  });

  it('is written for an interrupted run, with the data until then', async (t) => {
    const file = join(await makeDirectory(t), 'report.html');
    const run = startCli(['--json', '--report', file], { ...env(), ITEMS_PER_PAGE: '1' });
    let documents = 0;
    for await (const event of readEvents(run.process)) {
      if (event.kind !== 'progress') continue;
      if (documents === 0) run.process.kill('SIGINT');
      documents = event.documents;
    }
    assert.equal((await run.result).code, 130);
    const page = await readFile(file, 'utf8');
    assert.match(page, /stopped by SIGINT/);
    const shown = documents.toLocaleString('en-US');
    assert.match(page, new RegExp(`Documents committed</dt>\\s*<dd>\\s*${shown} <small>of about 5,000`));
  });

  it('shows what was followed, also if it ended by a signal', async (t) => {
    const file = join(await makeDirectory(t), 'report.html');
    await sandbox.db.collection('followed').insertMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
    const more = { MONGO_COLLECTION: 'followed', CLUSTER_IMPLEMENTATION: 'inline' };
    const job = startFollowing({ ...env(), ...more }, ['--report', file]);
    await job.until('following');
    await sandbox.db.collection('followed').insertMany([{ n: 4 }, { n: 5 }]);
    await sandbox.db.collection('followed').deleteOne({ n: 1 });
    await untilMerged(sandbox, job);
    // An earlier event may have a part of it; the page has the state of the last one.
    await job.until('following', ({ collections: [followed] }) => {
      return followed?.inserted === 2 && followed.deleted === 1 && followed.waiting === 0;
    });
    assert.equal((await job.stop()).code, 130);
    const page = await readFile(file, 'utf8');
    const [own = ''] = /<section class="following"[^]*?<\/section>/.exec(page) ?? [];
    assert.match(own, /\.followed was followed/);
    assert.match(own, /one could cut over/);
    assert.match(own, /<td>2<\/td>\s*<td>0<\/td>\s*<td>1<\/td>\s*<td>0<\/td>\s*<td>to the end</);
  });

  it('is written for a run that fails before anything is copied', async (t) => {
    const file = join(await makeDirectory(t), 'report.html');
    const { code } = await runCli(['--report', file], { ...env(), MONGO_COLLECTION: 'nothing' });
    assert.equal(code, 3);
    assert.match(await readFile(file, 'utf8'), /class="failure">\s*MongoDB has no collection/);
  });

  it('overwrites an earlier report, and no other file', async (t) => {
    const file = join(await makeDirectory(t), 'report.html');
    assert.equal((await runCli(['--report', file], env())).code, 0);
    assert.equal((await runCli(['--report', file], env())).code, 0);
    await writeFile(file, 'a letter to a friend');
    const { code, stderr } = await runCli(['--report', file], env());
    assert.equal(code, 2);
    assert.match(stderr, /exists and is not a report/);
    assert.equal(await readFile(file, 'utf8'), 'a letter to a friend');
  });

  it('refuses a missing folder before it copies anything', async (t) => {
    const file = join(await makeDirectory(t), 'missing', 'report.html');
    const { code, stderr } = await runCli(['--json', '--report', file], env());
    assert.equal(code, 2);
    assert.match(stderr, /a report cannot be written to .*missing/);
  });

  it(
    'is a page that works in a browser: plots, numbers at one time, and no external resources',
    {
      skip: noBrowser,
      timeout: testLimitMs,
    },
    async (t) => {
      const file = join(await makeDirectory(t), 'report.html');
      const collections = `numbers,${hostileName.slice(0, 9)}*`;
      // Workers with memory of their own.
      const settings = { CLUSTER_IMPLEMENTATION: pool, MONGO_COLLECTION: collections };
      const { code, stderr } = await runCli(['--report', file], { ...env(), ...settings });
      assert.equal(code, 0, stderr);
      const page = await openInBrowser(t, file);

      const sections = await page.evaluate<string[]>(
        `Array.from(document.querySelectorAll('section[data-interval] h2'), (heading) => heading.firstChild.textContent.trim())`,
      );
      assert.equal(sections.length, 2);
      assert.match(sections[0] ?? '', /\.numbers → public\.numbers$/);
      assert.ok(sections[1]?.includes(hostileName), `the name stays text: ${sections[1] ?? ''}`);
      assert.match(await page.evaluate('document.title'), /^mongo2pg: .*\.numbers and 1 more$/);

      const plots = await page.evaluate<{ title: string; points: number; height: number }[]>(
        `Array.from(document.querySelector('section').querySelectorAll('figure.plot'), (figure) => ({
        title: figure.querySelector('b').textContent,
        points: Math.max(...Array.from(figure.querySelectorAll('path'), (path) => path.getAttribute('d').split(/[LH]/).length)),
        height: figure.querySelector('svg').getBoundingClientRect().height,
      }))`,
      );
      assert.deepEqual(
        plots.map(({ title }) => title),
        [
          'Documents a second',
          'MB a second',
          'Batches in flight',
          'MB in flight',
          'Workers at work',
          'Memory',
          'What each worker did',
        ],
      );
      for (const { title, points, height } of plots) {
        assert.ok(points > 2, `${title} has ${points} points`);
        assert.ok(height > 30, `${title} is ${height} pixels high`);
      }

      const readout = `document.querySelector('figure.plot .readout').textContent`;
      assert.match(await page.evaluate(readout), /^at most [\d,]+$/);
      await page.pointAt('figure.plot svg');
      assert.match(await page.evaluate(readout), /^[\d,.]+ documents\/s$/);
      assert.match(
        await page.evaluate(`document.querySelector('.moment output').textContent`),
        /^at [\d.]+ s$/,
      );
      const memory = await page.evaluate<string>(
        `(() => {
        const slider = document.querySelector('.moment input');
        slider.value = slider.max;
        slider.dispatchEvent(new Event('input'));
        return document.querySelectorAll('figure.plot .readout')[5].textContent;
      })()`,
      );
      assert.match(memory, /^primary [\d,.]+ MB/);

      assert.deepEqual(page.complaints, []);
      const asked = page.requests.filter((url) => !url.startsWith('data:'));
      assert.deepEqual(
        asked.map((url) => new URL(url).protocol),
        ['file:'],
        'the page alone',
      );
    },
  );
});
