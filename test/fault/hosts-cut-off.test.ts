/** Hosts that lose one of the servers, while the others have both. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';
import {
  assertAccount,
  beginHeld,
  countRangesOf,
  expire,
  hostIdsOf,
  join,
  longLease,
  readCommitted,
  startMongoProxy,
  startProxyTo,
  waitForEnd,
  waitForHostId,
} from '../support/hosts.ts';

// Red where a batch is taken whatever the epoch of its range.
describe('a host that is cut off from PostgreSQL past its lease', () => {
  for (const isSilent of [false, true]) {
    const how = isSilent ? 'silence' : 'its connections reset, and new ones refused';
    it(`(${how}): the others finish what it had; when it reconnects it writes nothing, joins again, and ends with 0`, async (t) => {
      const scene = await setScene(t, 2_000);
      const { leader, hold } = await beginHeld(t, scene, longLease, {
        'primary-before-load-checkpoint': 'pause',
      });
      const { proxy, url } = await startProxyTo(t, scene.env.POSTGRES_URL ?? '');
      const batch = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
      const away = join(t, scene, { ...longLease, ...batch.env, POSTGRES_URL: url });
      await batch.waitUntilFired('worker-before-commit');
      const hostId = await waitForHostId(scene, away);
      assert.ok((await countRangesOf(scene, hostId)) > 0);

      if (isSilent) {
        proxy.goSilent();
      } else {
        proxy.refuse();
        proxy.cut();
      }
      await expire(scene, hostId);
      await hold.resume('primary-after-ack');
      await hold.waitUntilFired('primary-before-load-checkpoint');
      await waitForEnd(scene, hostId, 'dead');
      assert.equal(await countRangesOf(scene, hostId), 0);
      const committed = await readCommitted(scene);

      await batch.resume('worker-before-commit');
      // Connections that it has opened meanwhile would stay silent.
      if (isSilent) proxy.cut();
      await proxy.restore();
      // It notices that it was declared dead, and joins again.
      await waitForHostId(scene, away);
      assert.deepEqual(await readCommitted(scene), committed);
      await hold.resume('primary-before-load-checkpoint');
      assertCode(await leader.result, 0);
      const run = await away.result;
      assertCode(run, 0);
      assert.equal(hostIdsOf(run).length, 2);
      await scene.assertEqual();
      await assertAccount(scene, 2_000);
    });
  }
});

describe('a host that is cut off from MongoDB for longer than RETRY_SECONDS', () => {
  // Red where a host that leaves releases nothing.
  it('releases its ranges and ends with 3; the others finish', async (t) => {
    const scene = await setScene(t, 2_000);
    const { leader, hold } = await beginHeld(t, scene, longLease);
    const { proxy, mongoUrl } = await startMongoProxy(t, scene);
    const batch = await setFailpoints(t, { 'worker-before-claim': 'pause@3x*' });
    const away = join(t, scene, { ...longLease, ...batch.env, MONGO_URL: mongoUrl, RETRY_SECONDS: '1' });
    await batch.waitUntilFired('worker-before-claim');
    proxy.refuse();
    proxy.cut();
    await batch.resume('worker-before-claim');
    const left = await away.result;
    assertCode(left, ExitCode.source);
    const [hostId = ''] = hostIdsOf(left);
    await waitForEnd(scene, hostId, 'left');
    assert.equal(await countRangesOf(scene, hostId), 0);
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
  });

  // Red where a lost server fails the leader, and not only this host.
  it('while it leads: another leads', async (t) => {
    const scene = await setScene(t, 2_000);
    const { proxy, mongoUrl } = await startMongoProxy(t, scene);
    const { leader, hold } = await beginHeld(t, scene, {
      ...longLease,
      MONGO_URL: mongoUrl,
      RETRY_SECONDS: '1',
    });
    const taking = await setFailpoints(t, { 'host-after-take': 'pause@1x*' });
    const other = join(t, scene, { ...longLease, ...taking.env });
    await taking.waitUntilFired('host-after-take');
    proxy.refuse();
    proxy.cut();
    await hold.resume('primary-after-ack');
    const left = await leader.result;
    assertCode(left, ExitCode.source);
    await taking.resume('host-after-take');
    assertCode(await other.result, 0);
    const ends = await scene.query<{ reason: string }>(
      'SELECT end_reason AS reason FROM mongo2pg.hosts WHERE is_lead ORDER BY host_id',
    );
    assert.deepEqual(
      ends.map(({ reason }) => reason),
      ['left', 'finished'],
    );
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
  });
});
