/** A collection that fails on the leader: the other hosts stop copying it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, documentsOf, setScene, type Scene } from '../support/fault.ts';
import { begin, countRangesOf, join, longLease, waitForHostId } from '../support/hosts.ts';

/** Makes each document whose number this divides a dead letter. @returns how many */
async function spoil(scene: Scene, divisor: number): Promise<number> {
  const ids = documentsOf(2_000).flatMap(({ _id }) => (_id % divisor === 0 ? [_id] : []));
  const filter = { _id: { $in: ids } };
  const { modifiedCount } = await scene.collection.updateMany(filter, { $set: { text: 'N\0UL' } });
  return modifiedCount;
}

async function countUnread(scene: Scene): Promise<number> {
  const [row] = await scene.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM mongo2pg.ranges WHERE closed_at IS NULL AND read_at IS NULL',
  );
  return row?.count ?? 0;
}

describe('MAX_DEAD_LETTERS of several hosts', () => {
  // Red where the leader counts its own alone: it ends the run, and the other ends with 0.
  it('counts those of all: all end with 5, and with a higher limit the copy is resumed', async (t) => {
    const scene = await setScene(t, 2_000);
    const letters = await spoil(scene, 20);
    // The leader has fewer itself, in its one range.
    const limit = { ...longLease, MAX_DEAD_LETTERS: String(letters - 10) };
    const hold = await setFailpoints(t, { 'host-after-take': 'pause' });
    const leader = begin(t, scene, { ...limit, ...hold.env, READ_RANGES: '1' });
    await hold.waitUntilFired('host-after-take');
    const other = join(t, scene, limit);
    await waitUntil('the other has read all but one range', async () => (await countUnread(scene)) === 1);
    await hold.resume('host-after-take');
    for (const run of [await leader.result, await other.result]) {
      assertCode(run, ExitCode.deadLetters);
      assert.match(run.stdout, /\d+ documents became dead letters, more than MAX_DEAD_LETTERS/);
      assert.match(run.stdout, /TOO_MANY_DEAD_LETTERS/);
    }
    const resumed = await begin(t, scene, { ...longLease, MAX_DEAD_LETTERS: String(letters) }).result;
    assertCode(resumed, ExitCode.deadLetters);
    assert.doesNotMatch(resumed.stdout, /TOO_MANY_DEAD_LETTERS/);
    const [row] = await scene.query<{ rows: number }>('SELECT count(*)::int AS rows FROM things');
    assert.equal(row?.rows, 2_000 - letters);
  });
});

describe('a collection that fails on the leader', () => {
  // Red where no host checks whether it has failed, and where the leader leaves as one that has finished.
  it('the others stop copying it, release their ranges, and end with its error', async (t) => {
    const scene = await setScene(t, 2_000);
    await spoil(scene, 2);
    const limit = { ...longLease, MAX_DEAD_LETTERS: '150', READ_RANGES: '1' };
    const hold = await setFailpoints(t, { 'host-after-take': 'pause' });
    const leader = begin(t, scene, { ...limit, ...hold.env });
    await hold.waitUntilFired('host-after-take');
    const batches = await setFailpoints(t, { 'worker-before-claim': 'pause@3x*' });
    const other = join(t, scene, { ...limit, ...batches.env });
    await batches.waitUntilFired('worker-before-claim');
    const hostId = await waitForHostId(scene, other);
    await hold.resume('host-after-take');
    const ended = await act(other, async (event) => {
      // Its batches continue only then: it must have noticed before.
      const isGivenUp = event.kind === 'notice' && event.message.includes('the leader has given it up');
      if (isGivenUp) await batches.resume('worker-before-claim');
    });
    assertCode(await leader.result, ExitCode.deadLetters);
    assertCode(ended, ExitCode.deadLetters);
    assert.match(ended.stdout, /the leader .* has failed: .*more than MAX_DEAD_LETTERS/);
    assert.ok((await countUnread(scene)) > 0, 'it was not copied to its end');
    assert.equal(await countRangesOf(scene, hostId), 0);
  });
});
