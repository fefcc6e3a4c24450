/** A leader with an error of its machine alone: another host leads, and the job continues. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import type { RunningCli } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import {
  assertAccount,
  begin,
  beginVerifying,
  countRangesOf,
  eventsOf,
  join,
  longLease,
  waitForHostId,
} from '../support/hosts.ts';
import { assertAsAlone, assertEachOnce, countHeldBy } from '../support/host-verification.ts';

/** Its workers are processes, and none comes to life. */
const dying = { ...longLease, CLUSTER_IMPLEMENTATION: 'cluster', READ_RANGES: '1' };
const killing = { 'worker-before-ready': 'killx*' } as const;

async function readLeaders(scene: Scene): Promise<unknown[]> {
  return await scene.query(
    'SELECT host_id AS "hostId", end_reason AS "endReason" FROM mongo2pg.hosts WHERE is_lead ORDER BY host_id',
  );
}

/** Fails at once where the leader continues without the collection, as if it had failed: it would wait for the others. */
async function waitUntilHandedOver(leader: RunningCli): Promise<void> {
  await waitUntil('the leader gives up leading', () => {
    const { stdout, stderr } = leader.heard;
    const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
    const failed = eventsOf(whole).find((event) => event.kind === 'failed' && event.isAlone);
    assert.equal(failed, undefined, `it continues without the collection: ${JSON.stringify(failed)}`);
    if (stdout.includes('this host gives up leading')) return Promise.resolve(true);
    assert.equal(leader.process.exitCode, null, `it has ended: ${stderr}`);
    return Promise.resolve(false);
  });
}

describe('a leader whose workers keep dying', () => {
  // Red, as the next, where such an error is never handed over: the leader reports that the collection has failed.
  it('gives back what it has, and another host leads: every document is copied once', async (t) => {
    const scene = await setScene(t, 2_000);
    await scene.otherCollection('others').insertMany([{ text: 'one' }, { text: 'two' }]);
    const several = { MONGO_COLLECTION: 'things,others' };
    const hold = await setFailpoints(t, { 'host-after-take': 'pause', ...killing });
    const leader = begin(t, scene, { ...dying, ...several, ...hold.env });
    await hold.waitUntilFired('host-after-take');
    const leaderId = await waitForHostId(scene, leader);
    const taking = await setFailpoints(t, { 'host-after-take': 'pause@1x*' });
    const other = join(t, scene, { ...longLease, ...several, ...taking.env });
    await taking.waitUntilFired('host-after-take');
    await hold.resume('host-after-take');
    await waitUntilHandedOver(leader);
    const ended = await leader.result;
    assertCode(ended, ExitCode.internal);
    assert.match(ended.stdout, /WORKERS_KEEP_DYING/);
    assert.equal(await countRangesOf(scene, leaderId), 0);
    await taking.resume('host-after-take');
    assertCode(await other.result, 0);
    await scene.assertEqual();
    const leaders = [
      { hostId: '1', endReason: 'left' },
      { hostId: '2', endReason: 'finished' },
    ];
    assert.deepEqual(await readLeaders(scene), leaders);
    assert.deepEqual(await scene.query('SELECT count(*)::int AS rows FROM others'), [{ rows: 2 }]);
    assert.equal((await scene.query('SELECT FROM mongo2pg.runs')).length, 2);
    assert.equal((await scene.query('SELECT FROM mongo2pg.jobs WHERE finished_at IS NULL')).length, 0);
  });

  it('while the hosts verify: another leads, and reports', async (t) => {
    const scene = await setScene(t, 2_000);
    assertCode(await scene.run({ CLUSTER_IMPLEMENTATION: 'inline' }), 0);
    const hold = await setFailpoints(t, { 'host-after-take': 'pause', ...killing });
    const leader = beginVerifying(t, scene, { ...dying, ...hold.env });
    await hold.waitUntilFired('host-after-take');
    const leaderId = await waitForHostId(scene, leader);
    const taking = await setFailpoints(t, { 'host-after-take': 'pause@1x*' });
    const other = join(t, scene, { ...longLease, ...taking.env });
    await taking.waitUntilFired('host-after-take');
    await hold.resume('host-after-take');
    await waitUntilHandedOver(leader);
    assertCode(await leader.result, ExitCode.internal);
    assert.equal(await countHeldBy(scene, leaderId), 0);
    await taking.resume('host-after-take');
    const led = await other.result;
    assertCode(led, 0);
    await assertEachOnce(scene, 2_000);
    await assertAsAlone(scene, led);
  });

  // Red where it hands over to nobody: the collection is not marked as failed.
  it('with no other host: the collection fails, and the next start resumes it', async (t) => {
    const scene = await setScene(t, 500);
    const { env } = await setFailpoints(t, killing);
    const ended = await begin(t, scene, { ...dying, ...env }).result;
    assertCode(ended, ExitCode.internal);
    assert.deepEqual(await readLeaders(scene), [{ hostId: '1', endReason: 'failed' }]);
    const failed = await scene.query(`SELECT FROM mongo2pg.job_collections WHERE outcome = 'failed'`);
    assert.equal(failed.length, 1);
    assertCode(await begin(t, scene, longLease).result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 500);
  });
});
