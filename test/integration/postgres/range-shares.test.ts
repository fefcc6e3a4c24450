/** How many of the ranges that wait a host may take at a time. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { beginTaking } from '../../../src/postgres/ledger/hosts/host-ranges.ts';
import { insertHost, markEnded, type HostsKey } from '../../../src/postgres/ledger/hosts/hosts.ts';
import { createLedger } from '../../../src/postgres/ledger/ledger.ts';
import { SupersededError } from '../../../src/postgres/ledger/leadership.ts';
import { inTransaction } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const key: HostsKey = { sourceDb: 'shop', schema: 'public', selection: 'things' };
const identity = { task: 'copy', name: 'a host', version: '1', settings: {} } as const;

describe('the share of a host in the ranges that wait', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await inTransaction(sandbox.client, () => createLedger(sandbox.client));
  });
  after(() => sandbox.remove());

  const join = async (of: HostsKey): Promise<string> =>
    (await insertHost(sandbox.client, of, identity)).hostId;

  async function shareOf(hostId: string, waiting: number): Promise<number> {
    try {
      return await beginTaking(sandbox.client, hostId, `SELECT ${waiting}`);
    } finally {
      await sandbox.client.query('ROLLBACK');
    }
  }

  it('is half of an even one among the hosts that there are, and one at least', async () => {
    const [first, second] = [await join(key), await join(key)];
    await join({ ...key, selection: 'others' });
    const third = await join(key);
    for (const [waiting, share] of [
      [0, 1],
      [1, 1],
      [6, 1],
      [7, 2],
      [8, 2],
      [600, 100],
    ] as const) {
      assert.equal(await shareOf(first, waiting), share, `${waiting} wait`);
    }
    await markEnded(sandbox.client, second, 'left', null);
    assert.equal(await shareOf(third, 8), 2);
    assert.equal(await shareOf(third, 9), 3);
    await assert.rejects(shareOf(second, 8), SupersededError);
  });
});
