/** A host that waits for any migration, as one of a Deployment does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene } from '../support/fault.ts';
import { begin, hostIdsOf, join, longLease, waitForEnd, waitForHostId } from '../support/hosts.ts';

describe('join --keep-joining', () => {
  // Red where the wait has a limit, and where a host joins only once.
  it('waits without limit, takes part in one migration after the other, and ends at SIGTERM', async (t) => {
    const scene = await setScene(t, 1_000);
    const keeping = join(t, scene, { ...longLease, RETRY_SECONDS: '0', KEEP_JOINING: 'true' });
    let waits = 0;
    const ended = act(keeping, (event) => {
      if (event.kind === 'host-waiting') waits++;
    });
    for (const [index, flags] of [[], ['--restart']].entries()) {
      await waitUntil('it waits', () => Promise.resolve(waits > index));
      const end = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
      const leader = begin(t, scene, { ...longLease, ...end.env }, ...flags);
      await end.waitUntilFired('primary-before-load-checkpoint');
      const hostId = await waitForHostId(scene, keeping);
      await end.resume('primary-before-load-checkpoint');
      assertCode(await leader.result, 0);
      await waitForEnd(scene, hostId, 'finished');
    }
    await waitUntil('it waits again', () => Promise.resolve(waits === 3));
    keeping.process.kill('SIGTERM');
    const run = await ended;
    assertCode(run, ExitCode.sigterm);
    assert.equal(hostIdsOf(run).length, 2);
    await scene.assertEqual();
  });
});
