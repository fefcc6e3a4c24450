/** What status and the metrics show of a followed stream, with and without pending changes. */

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { startCli } from '../../support/cli.ts';
import { waitUntil } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { inline, setFollowScene, type FollowScene } from '../../support/follow-scene.ts';

interface ToldStream {
  readonly state: string;
  readonly lagMs: number;
  readonly waiting: number;
  readonly events: Readonly<Record<string, number>>;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly obstacles: readonly string[];
  readonly next: string;
}

async function readStatus(scene: FollowScene): Promise<ToldStream> {
  const { stdout } = await scene.run(inline, 'status');
  const { streams } = JSON.parse(stdout) as { streams: ToldStream[] };
  const [stream] = streams;
  assert.ok(stream !== undefined && streams.length === 1, stdout);
  return stream;
}

async function readMetrics(url: string): Promise<ReadonlyMap<string, number>> {
  const lines = (await (await fetch(url)).text()).split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, name, value] = /^mongo2pg_(\S+) (\S+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)]];
    }),
  );
}

describe('a followed stream', () => {
  // Red where events are not counted by kind, where pending changes are not counted, and where `--watch` shows it once.
  it('is shown by status, status --watch, and metrics, each with the same numbers', async (t) => {
    const scene = await setFollowScene(t, 20);
    const failpoints = await setFailpoints(t, { 'primary-before-drain': 'pause@4x*' });
    const following = scene.follow({ ...inline, VERIFY_SHARE: '0%', METRICS_PORT: '0', ...failpoints.env });
    const { message } = await following.until('notice', (event) => event.message.includes('metrics: http'));
    const url = /http:\S+/.exec(message)?.[0] ?? assert.fail(message);
    await following.until('following');
    // One after the other, so that each is a drain of its own.
    await scene.collection.insertOne({ _id: 100 as never, text: 'new', even: true });
    await scene.untilMerged(following);
    await scene.collection.updateOne({ _id: 1 as never }, { $set: { text: 'changed' } });
    await scene.untilMerged(following);
    await scene.collection.deleteOne({ _id: 2 as never });
    await scene.untilMerged(following);
    const merged = await readStatus(scene);
    assert.deepEqual(
      [merged.state, merged.waiting, merged.events, merged.inserted, merged.updated, merged.deleted],
      ['following', 0, { insert: 1, update: 1, delete: 1 }, 1, 1, 1],
    );
    assert.deepEqual(merged.obstacles, []);
    assert.match(merged.next, /stop all writes to MongoDB, then .*cutover/);
    await waitUntil('the metrics show it', async () => {
      const metrics = await readMetrics(url);
      const reported = ['insert', 'update', 'delete'].map((kind) =>
        metrics.get(`events_total{kind="${kind}"}`),
      );
      return (
        reported.join() === '1,1,1' && metrics.get('journal_rows') === 0 && metrics.get('can_cut_over') === 1
      );
    });

    const watching = startCli(['status', '--watch'], scene.env);
    const lines = createInterface({ input: watching.process.stdout ?? assert.fail('it has no output') });
    const heard: string[] = [];
    lines.on('line', (line) => heard.push(line));
    const count = (pattern: RegExp): number => heard.filter((line) => pattern.test(line)).length;
    await waitUntil('it shows twice that all is merged', () =>
      Promise.resolve(count(/following · caught up · 0 changes waiting · .*can cut over: yes/) >= 2),
    );
    // This one is not drained.
    await scene.collection.updateOne({ _id: 3 as never }, { $set: { text: 'waits' } });
    await failpoints.waitUntilFired('primary-before-drain');
    await waitUntil('it shows pending changes', () => Promise.resolve(count(/ · 1 change waiting · /) > 0));
    const waiting = await readStatus(scene);
    assert.deepEqual([waiting.waiting, waiting.events.update], [1, 2]);
    await waitUntil('the metrics show pending changes', async () => {
      const metrics = await readMetrics(url);
      return metrics.get('journal_rows') === 1 && metrics.get('events_total{kind="update"}') === 2;
    });
    watching.process.kill('SIGINT');
    await watching.result;
    await failpoints.resume('primary-before-drain');
    await scene.untilMerged(following);
    await following.stop();
    const stopped = await readStatus(scene);
    assert.deepEqual([stopped.state, stopped.waiting], ['stopped', 0]);
    assert.deepEqual(stopped.obstacles, ['no process follows']);
  });
});
