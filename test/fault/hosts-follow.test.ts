/** Several hosts that follow changes together: each merges the changes of its slots, and the leader reads the stream. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';
import { setFollowSceneOn } from '../support/follow-scene.ts';
import { startLyingMongo } from '../support/lying-mongo.ts';
import { untilMerged } from '../support/follow.ts';
import { waitUntil } from '../support/embedded.ts';
import { beginHeld, eventsOf, join, longLease, waitForHostId } from '../support/hosts.ts';
import {
  assertMergedOnce,
  beginFollowing,
  cutOverAll,
  findIdOf,
  followByTwo,
  following,
  joinFollowing,
  readSlots,
  setText,
  waitForSlots,
  writeEverywhere,
} from '../support/hosts-follow.ts';

function noticesOf({ stdout }: { readonly stdout: string }): string {
  return eventsOf(stdout)
    .flatMap((event) => (event.kind === 'notice' ? [event.message] : []))
    .join('\n');
}

describe('several hosts that follow', () => {
  it('merge each a part, and are cut over', async (t) => {
    const scene = await setScene(t, 500);
    const [leader, other] = await followByTwo(t, scene);
    await writeEverywhere(scene, 1);
    await untilMerged(scene);
    const merged = await readSlots(scene);
    for (const { hostId } of [leader, other]) {
      assert.ok((merged[hostId]?.rows ?? 0) > 100, JSON.stringify(merged));
    }
    await writeEverywhere(scene, 2);
    await assertMergedOnce(scene);
    await cutOverAll(scene, [leader.run, other.run]);
    assert.match(noticesOf(await other.run.result), /this host has merged \d+ documents/);
  });

  it('give slots to a host that joins late, and take them back at once when one is interrupted', async (t) => {
    const scene = await setScene(t, 500);
    const merging = await setFailpoints(t, { 'worker-before-merge-commit': 'pause' });
    const [leader, other] = await followByTwo(t, scene, { ofOther: merging.env });
    await setText(scene, await findIdOf(scene, other.hostId), 'in flight');
    await merging.waitUntilFired('worker-before-merge-commit');
    const third = await joinFollowing(t, scene);
    const ids = [leader.hostId, other.hostId, third.hostId];
    await waitUntil('each has its part', async () => {
      const slots = await readSlots(scene);
      return ids.every((id) => Math.abs((slots[id]?.slots ?? 0) - 21) <= 1);
    });
    other.run.process.kill('SIGINT');
    await merging.resume('worker-before-merge-commit');
    const interrupted = await other.run.result;
    assertCode(interrupted, 130);
    const slots = eventsOf(interrupted.stdout).flatMap((event) =>
      event.kind === 'host-merging' ? [event.slots] : [],
    );
    assert.equal(slots[0], 32);
    assert.match(noticesOf(interrupted), /this host has merged 1 document/);
    await waitForSlots(scene, { [leader.hostId]: 32, [third.hostId]: 32 });
    await writeEverywhere(scene, 1);
    await cutOverAll(scene, [leader.run, third.run]);
  });

  it('must all follow', async (t) => {
    const scene = await setScene(t, 100);
    const { run } = await beginFollowing(t, scene);
    const refused = await join(t, scene, { ...longLease, CLUSTER_SIZE: '1' }).result;
    assertCode(refused, 2);
    assert.match(refused.stdout, /FOLLOW is true there, and not set here/);
    run.process.kill('SIGINT');
    assertCode(await run.result, 130);
  });

  it('can be followed by one process alone, and the other way round', async (t) => {
    const scene = await setScene(t, 500);
    const first = await followByTwo(t, scene);
    for (const { run } of first) run.process.kill('SIGINT');
    for (const { run } of first) assertCode(await run.result, 130);
    await writeEverywhere(scene, 1);
    const alone = scene.start({ FOLLOW: 'true', CLUSTER_IMPLEMENTATION: 'inline' });
    await untilMerged(scene);
    await writeEverywhere(scene, 2);
    await untilMerged(scene);
    assert.deepEqual(Object.keys(await readSlots(scene)), ['none']);
    alone.process.kill('SIGINT');
    assertCode(await alone.result, 130);
    const [leader, other] = await followByTwo(t, scene);
    await writeEverywhere(scene, 3);
    await cutOverAll(scene, [leader.run, other.run]);
  });

  it('share the slots of a collection that comes later, too', async (t) => {
    const scene = await setScene(t, 200);
    const env = { MONGO_COLLECTION: 'things,other*' };
    const [leader, other] = await followByTwo(t, scene, { ofLeader: env, ofOther: env });
    await scene.otherCollection('others').insertMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
    await waitForSlots(scene, { [leader.hostId]: 64, [other.hostId]: 64 });
    await scene.otherCollection('others').insertMany([{ n: 4 }, { n: 5 }, { n: 6 }]);
    await untilMerged(scene);
    const rows = await scene.query<{ n: number }>('SELECT n FROM others ORDER BY n');
    assert.deepEqual(
      rows.map(({ n }) => n),
      [1, 2, 3, 4, 5, 6],
    );
    assertCode(await scene.run(env, 'cutover'), 0);
    for (const { run } of [leader, other]) assertCode(await run.result, 0);
    await scene.assertEqual();
  });

  // Red where a host that does not lead records nothing: its change waits, and all follow without end.
  it('stop a collection that one of them cannot merge', async (t) => {
    const scene = await setScene(t, 200);
    const [leader, other] = await followByTwo(t, scene);
    await scene.query('ALTER TABLE things DROP COLUMN text');
    await setText(scene, await findIdOf(scene, other.hostId), 'where to?');
    const led = await leader.run.result;
    assertCode(led, 4);
    assert.match(led.stdout, /another host could not merge its rows: .*text/);
    assertCode(await other.run.result, 4);
  });

  // Red where a host that does not lead opens the collection as without --follow: it reads what is rolled back later, and no change
  // corrects it.
  it('copy no writes that are rolled back later, also with readConcernLevel=local in the URL', async (t) => {
    const mongo = await startLyingMongo(t);
    const scene = await setFollowSceneOn(t, mongo.url, { count: 2_000 });
    const endLie = await mongo.lie(t, 'rolledBackWrites', { namespace: scene.collection.namespace });
    await scene.collection.updateMany({}, { $set: { text: 'seen by one member' } });
    const url = new URL(mongo.url);
    url.searchParams.set('readConcernLevel', 'local');
    const env = { ...following, MONGO_URL: url.href };
    const { leader, hold } = await beginHeld(t, scene, env);
    const other = await joinFollowing(t, scene, env);
    await waitUntil('the other has copied something', async () => {
      const [row] = await scene.query<{ documents: number }>(
        `SELECT coalesce(sum(b.documents), 0)::int AS documents FROM mongo2pg.ranges r
           JOIN mongo2pg.batches b USING (run_id, range_no) WHERE r.host_id = $1`,
        [other.hostId],
      );
      return (row?.documents ?? 0) > 500;
    });
    await hold.resume('primary-after-ack');
    await waitForSlots(scene, { [await waitForHostId(scene, leader)]: 32, [other.hostId]: 32 });
    await endLie();
    await cutOverAll(scene, [leader, other.run]);
  });
});
