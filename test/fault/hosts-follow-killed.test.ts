/** Hosts that follow together and are killed, one after the other: what each had, another merges, once. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { plainPool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { waitUntil } from '../support/embedded.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { untilMerged } from '../support/follow.ts';
import { beginHeld, eventsOf, expire, waitForEnd, waitForHostId } from '../support/hosts.ts';
import {
  assertMergedOnce,
  beginFollowing,
  cutOverAll,
  followByTwo,
  following,
  joinFollowing,
  hexOf,
  readSlots,
  setText,
  waitForSlots,
  writeEverywhere,
  type FollowingHost,
} from '../support/hosts-follow.ts';

const windowsOfDrain: readonly FailpointName[] = [
  'primary-before-drain',
  'worker-in-merge',
  'worker-before-merge-commit',
  'worker-before-ack',
  'primary-after-drain',
];

describe('a host that follows and does not lead, killed', () => {
  // Red where hosts that are gone are given slots, and what they had is not released: 32 slots wait for the dead host.
  it('in each window of a drain: others merge what it had, and nothing twice', async (t) => {
    const scene = await setScene(t, 500);
    const leader = await beginFollowing(t, scene);
    for (const [round, window] of windowsOfDrain.entries()) {
      const killing = await setFailpoints(t, { [window]: 'kill@3' });
      const { run, hostId } = await joinFollowing(t, scene, killing.env);
      await waitForSlots(scene, { [leader.hostId]: 32, [hostId]: 32 });
      await writeEverywhere(scene, round);
      const killed = await run.result;
      assert.equal(killed.signal, 'SIGKILL', `${window}: ${killed.stderr}`);
      await expire(scene, hostId);
      await waitForEnd(scene, hostId, 'dead');
      await waitForSlots(scene, { [leader.hostId]: 64 });
      await untilMerged(scene);
      await assertMergedOnce(scene);
    }
    await cutOverAll(scene, [leader.run]);
  });
});

/** Whose change comes alone, so that it is the first of its reply. */
const lastId = 77_777;

/** How a collection stops while others are followed, and what the leader ends with because of it. */
const stoppedCollections = [
  {
    how: 'could not be copied',
    exitCode: ExitCode.target,
    words: /"code":"TABLE_HAS_ROWS"/,
    stop: async (scene: Scene): Promise<string> => {
      await scene.otherCollection('newcomer').insertOne({ n: 1 });
      return 'newcomer';
    },
  },
  {
    how: 'was dropped',
    exitCode: ExitCode.source,
    words: /"code":"FOLLOWED_ENDED"/,
    stop: async (scene: Scene): Promise<string> => {
      await scene.otherCollection('newly').insertOne({ n: 1 });
      await waitUntil('it is followed', async () => {
        const slots = Object.values(await readSlots(scene));
        return slots.reduce((sum, { slots: count }) => sum + count, 0) === 128;
      });
      await scene.otherCollection('newly').drop();
      return 'newly';
    },
  },
] as const;

/** Cuts over, and kills the leader before it hears of it. */
async function cutOverAndKill(
  t: TestContext,
  scene: Scene,
  { run, hostId }: FollowingHost,
  env: Readonly<Record<string, string>> = {},
  ...args: string[]
): Promise<void> {
  const { env: failing, ...marking } = await setFailpoints(t, { 'cutover-before-mark': 'pause' });
  const cutover = scene.start({ ...env, ...failing }, 'cutover', ...args);
  await marking.waitUntilFired('cutover-before-mark');
  run.process.kill('SIGKILL');
  await run.result;
  await marking.resume('cutover-before-mark');
  assertCode(await cutover.result, 0);
  await expire(scene, hostId);
}

describe('the leader of hosts that follow, killed', () => {
  for (const window of [
    'primary-before-journal',
    'worker-before-merge-commit',
    'primary-after-drain',
  ] as const) {
    it(`at ${window}: another reads on where it was, and gives the slots out again`, async (t) => {
      const scene = await setScene(t, 500);
      // The reader comes by once a second, also where nothing is written.
      const kill = window === 'primary-before-journal' ? (`kill?${hexOf(lastId)}` as const) : 'kill@5';
      const killing = await setFailpoints(t, { [window]: kill });
      const [leader, other] = await followByTwo(t, scene, { ofLeader: killing.env });
      const third = await joinFollowing(t, scene);
      await writeEverywhere(scene, 1);
      if (window === 'primary-before-journal') await untilMerged(scene);
      await setText(scene, lastId, 'alone');
      const killed = await leader.run.result;
      assert.equal(killed.signal, 'SIGKILL', killed.stderr);
      await writeEverywhere(scene, 2);
      await expire(scene, leader.hostId);
      await waitForEnd(scene, leader.hostId, 'dead');
      await waitForSlots(scene, { [other.hostId]: 32, [third.hostId]: 32 });
      await writeEverywhere(scene, 3);
      await untilMerged(scene);
      await assertMergedOnce(scene);
      await cutOverAll(scene, [other.run, third.run]);
      const results = await Promise.all([other.run.result, third.run.result]);
      const kinds = results.flatMap(({ stdout }) => eventsOf(stdout)).map(({ kind }) => kind);
      assert.equal(kinds.filter((kind) => kind === 'lead-taken').length, 1);
      assert.equal((await scene.query('SELECT FROM mongo2pg.streams')).length, 1);
    });
  }

  // Red where the host that leads next opens a stream again: it ends with 2, as the rows are of a run that is not followed.
  it('after the cutover, before it hears of it: another leads, and has nothing to do', async (t) => {
    const scene = await setScene(t, 500);
    const [leader, other] = await followByTwo(t, scene);
    await writeEverywhere(scene, 1);
    await untilMerged(scene);
    await cutOverAndKill(t, scene, leader);
    const led = await other.run.result;
    assertCode(led, 0);
    assert.match(led.stdout, /the leader before was lost after the cutover/);
    assert.equal((await scene.query('SELECT FROM mongo2pg.streams')).length, 1);
    assertCode(await scene.run({ CLUSTER_IMPLEMENTATION: plainPool }, 'cutover'), 0);
    await scene.assertEqual();
  });

  for (const { how, stop, exitCode, words } of stoppedCollections) {
    // Red where what the leader before could not copy, or merge, is forgotten: all end with 0.
    it(`after a cutover without a collection that ${how}: all end with ${exitCode}, as with the leader before`, async (t) => {
      const scene = await setScene(t, 500);
      await scene.query(
        "CREATE TABLE newcomer (note text); INSERT INTO newcomer VALUES ('of somebody else')",
      );
      const env = { MONGO_COLLECTION: 'things,new*' };
      const [leader, other] = await followByTwo(t, scene, { ofLeader: env, ofOther: env });
      const third = await joinFollowing(t, scene, env);
      const name = await stop(scene);
      await waitUntil('the leader has reported it', () =>
        Promise.resolve(leader.run.heard.stdout.includes(`"kind":"failed"`)),
      );
      await cutOverAndKill(t, scene, leader, env, '--leave-out', name);
      const results = await Promise.all([other.run.result, third.run.result]);
      for (const result of results) {
        assertCode(result, exitCode);
        assert.match(result.stdout, words);
      }
      await scene.assertEqual();
    });
  }

  it('while the collection is copied and written to: another copies on, and follows from before the copy on', async (t) => {
    const scene = await setScene(t, 2_000);
    const { leader } = await beginHeld(t, scene, following);
    const leaderId = await waitForHostId(scene, leader);
    const other = await joinFollowing(t, scene);
    await writeEverywhere(scene, 1);
    leader.process.kill('SIGKILL');
    await leader.result;
    await writeEverywhere(scene, 2);
    await expire(scene, leaderId);
    await waitForSlots(scene, { [other.hostId]: 64 });
    await writeEverywhere(scene, 3);
    await cutOverAll(scene, [other.run]);
  });
});
