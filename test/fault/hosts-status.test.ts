/** What `status` shows of hosts that verify, and that build keys and indexes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Status } from '../../src/observe/status.ts';
import { runCli } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { begin, beginVerifying, join, longLease, waitForHostId } from '../support/hosts.ts';
import { countHeldBy } from '../support/host-verification.ts';

async function readStatus(scene: Scene, ...args: string[]): Promise<Status> {
  return JSON.parse(await readText(scene, '--json', ...args)) as Status;
}

/** Without flags as a person sees it. */
async function readText(scene: Scene, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(['status', ...args], scene.env);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('status of several hosts', () => {
  it('that verify: how many ranges each has taken and compared, and how many all of them', async (t) => {
    const scene = await setScene(t, 3_000);
    assertCode(await scene.run({ CLUSTER_IMPLEMENTATION: 'inline' }), 0);
    const held = [];
    for (const start of [beginVerifying, join]) {
      const hold = await setFailpoints(t, { 'host-after-compared-page': 'pause@1x*' });
      const run = start(t, scene, { ...longLease, ...hold.env, READ_RANGES: '1' });
      await hold.waitUntilFired('host-after-compared-page');
      held.push({ hold, run, hostId: await waitForHostId(scene, run) });
    }
    const { hosts, sharedWork } = await readStatus(scene);
    assert.deepEqual(
      hosts.map(({ task, state }) => [task, state]),
      [
        ['verify', 'leads'],
        ['verify', 'takes part'],
      ],
    );
    let taken = 0;
    for (const [index, { hostId }] of held.entries()) {
      const comparing = await countHeldBy(scene, hostId);
      assert.ok(comparing > 0);
      taken += comparing;
      const { rangesComparing, rangesCompared, comparedPerSecond } = hosts[index] ?? {};
      assert.deepEqual([rangesComparing, rangesCompared, comparedPerSecond], [comparing, 0, null]);
    }
    const [verification, ...more] = sharedWork;
    assert.equal(more.length, 0);
    assert.ok(verification !== undefined && verification.total > taken);
    const { kind, done, documents } = verification;
    assert.deepEqual([kind, done, verification.taken, documents], ['verification', 0, taken, 0]);
    const text = await readText(scene);
    assert.match(
      text,
      /leads a verification: .*\n {2}.*last heartbeat .* ago\n {2}verification: \d+ ranges? taken, 0 compared/,
    );
    assert.match(
      text,
      /hosts verify \S+\.things \(run 1\): 0 of \d+ ranges compared, \d+ taken · 0 documents/,
    );

    for (const { hold } of held) await hold.resume('host-after-compared-page');
    for (const { run } of held) assertCode(await run.result, 0);
    assert.deepEqual((await readStatus(scene)).sharedWork, []);
    const all = await readStatus(scene, '--all');
    const [finished] = all.sharedWork;
    assert.deepEqual([finished?.done, finished?.taken, finished?.documents], [verification.total, 0, 3_000]);
    const sum = (of: 'rangesCompared' | 'documentsCompared'): number =>
      all.hosts.reduce((total, host) => total + host[of], 0);
    assert.deepEqual([sum('rangesCompared'), sum('documentsCompared')], [verification.total, 3_000]);
    assert.ok(all.hosts.every(({ comparedPerSecond }) => (comparedPerSecond ?? 0) > 0));
  });

  it('that build indexes: how many each has built, and how many all of them', async (t) => {
    const scene = await setScene(t, 600);
    await scene.collection.createIndexes([
      { key: { text: 1 }, name: 'by_text' },
      { key: { even: 1 }, name: 'by_even' },
      { key: { text: 1, even: 1 }, name: 'by_both' },
    ]);
    const hold = await setFailpoints(t, { 'host-before-build': 'pause@1x*' });
    const env = { ...longLease, INDEX_JOBS: '1' };
    const leader = begin(t, scene, { ...env, ...hold.env });
    await hold.waitUntilFired('host-before-build');
    const other = join(t, scene, env);
    const otherId = await waitForHostId(scene, other);
    const isRestBuilt = async (): Promise<boolean> => (await readStatus(scene)).sharedWork[0]?.done === 2;
    await waitUntil('the other has built the rest', isRestBuilt);
    const { hosts, sharedWork } = await readStatus(scene);
    const [builds, ...more] = sharedWork;
    assert.equal(more.length, 0);
    const { kind, total, done, taken } = builds ?? {};
    assert.deepEqual([kind, total, done, taken], ['builds', 3, 2, null]);
    assert.equal(hosts.find(({ hostId }) => hostId === otherId)?.builds, 2);
    const text = await readText(scene);
    assert.match(text, /\n {2}2 keys and indexes built/);
    assert.match(text, /hosts build \S+\.things \(run 1\): 2 of 3 keys and indexes built/);
    await hold.resume('host-before-build');
    for (const { result } of [leader, other]) assertCode(await result, 0);
    assert.deepEqual((await readStatus(scene)).sharedWork, []);
  });

  // Red where only the lock of the job counts: it is held by the copy alone.
  it('that verify after the copy: their job is running', async (t) => {
    const scene = await setScene(t, 500);
    const hold = await setFailpoints(t, { 'host-after-compared-page': 'pause' });
    const leader = begin(t, scene, { ...longLease, ...hold.env, VERIFY: 'true' });
    await hold.waitUntilFired('host-after-compared-page');
    const stateOfJob = async (): Promise<string | undefined> => (await readStatus(scene)).jobs[0]?.state;
    assert.equal(await stateOfJob(), 'running');
    await hold.resume('host-after-compared-page');
    assertCode(await leader.result, 0);
    assert.equal(await stateOfJob(), 'finished');
  });
});
