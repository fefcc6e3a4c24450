import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { UsageError } from '../../../src/common/errors.ts';
import { readConfig } from '../../../src/config/config.ts';
import { withLane } from '../../../src/run/lane.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('a lane', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  // Red where each call after it waits for the lock again, which takes seconds: a host that was declared dead is slow to join again.
  it('whose lock another has taken after a reconnect fails with that error, and does not wait again', async () => {
    const config = readConfig('start', {}, sandbox.env);
    const audience = { onEvent: () => undefined, signal: new AbortController().signal };
    let waits = 0;
    await withLane(config, audience, async (lane) => {
      await lane.lock(async () => {
        waits++;
        if (waits > 1) throw new UsageError('another has it', { code: 'TEST_BUSY', fix: '' });
        await Promise.resolve();
      });
      await sandbox.client.query('SELECT pg_terminate_backend($1, 10000)', [lane.session.pid]);
      const work = (client: pg.Client): Promise<unknown> => client.query('SELECT');
      for (let call = 0; call < 3; call++) {
        await assert.rejects(lane.session.run(work), { code: 'TEST_BUSY' });
      }
    });
    assert.equal(waits, 2);
  });
});
