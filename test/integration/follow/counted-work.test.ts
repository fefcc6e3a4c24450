/** What waits in the journal is counted slot by slot, and the time that this takes is that of the server alone. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BSON } from 'mongodb';
import pg from 'pg';
import { keyOfId, slotOfKey } from '../../../src/bson/id-key.ts';
import { appendIds, listSlotWork } from '../../../src/postgres/follow/journal.ts';
import { createLedger } from '../../../src/postgres/ledger/ledger.ts';
import { addStreamCollections } from '../../../src/postgres/ledger/streams/stream-collections.ts';
import { openStream } from '../../../src/postgres/ledger/streams/stream.ts';
import { inTransaction } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { startProxy } from '../../support/tcp-proxy.ts';

const time = 5n;
const [first, second] = [1, 2].map((_id) => BSON.serialize({ _id }));

describe('the changes that wait', () => {
  let sandbox: Sandbox;

  before(async () => {
    sandbox = await createSandbox();
    const { client } = sandbox;
    await inTransaction(client, async () => {
      await createLedger(client);
      const request = { sourceDb: 'shop', schema: 'public', selection: 'things' };
      await openStream(client, request, { token: Buffer.from('a position'), time }, false);
      await addStreamCollections(client, '1', ['things']);
    });
  });
  after(() => sandbox.remove());

  // Red where the way there and back counts, or the time for which the process was suspended: it then counts seldom for no reason.
  it('are counted, in a time by the clock of the server', async () => {
    const latencyMs = 100;
    const port = Number(new URL(sandbox.postgresUrl).port);
    const proxy = await startProxy({ port, latencyMs });
    const far = new pg.Client({ connectionString: proxy.url(sandbox.postgresUrl) });
    try {
      await far.connect();
      const count = async (hostId?: string) => {
        const startedMs = performance.now();
        const { work, tookMs } = await listSlotWork(far, '1', hostId);
        const elapsedMs = performance.now() - startedMs;
        // Less 1 ms, since timers may fire early by so much.
        assert.ok(tookMs <= elapsedMs - latencyMs + 1, `${tookMs} ms of ${elapsedMs} ms`);
        assert.ok(tookMs > 0);
        return work;
      };
      assert.deepEqual(await count(), []);
      assert.ok(first !== undefined && second !== undefined);
      await appendIds(sandbox.client, { streamId: '1', collectionNo: 1, epoch: 1 }, [first, second, second]);
      const expected = [
        { collectionNo: 1, slot: slotOfKey(keyOfId(first)), waiting: 1, refused: 0, oldest: time },
        { collectionNo: 1, slot: slotOfKey(keyOfId(second)), waiting: 2, refused: 0, oldest: time },
      ].sort((a, b) => a.slot - b.slot);
      assert.deepEqual(await count(), expected);
      assert.deepEqual(await count('1'), [], 'no slot is of this host');
    } finally {
      await far.end();
      await proxy.close();
    }
  });
});
