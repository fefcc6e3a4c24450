/** What the leader of several hosts hears of collections that are followed, while it shares their slots. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Session } from '../../../src/postgres/connection/session.ts';
import { prepareSlots } from '../../../src/postgres/follow/journal.ts';
import { insertHost, takeLeadership } from '../../../src/postgres/ledger/hosts/hosts.ts';
import { createLedger } from '../../../src/postgres/ledger/ledger.ts';
import { addStreamCollections } from '../../../src/postgres/ledger/streams/stream-collections.ts';
import { openStream, takeOverStream } from '../../../src/postgres/ledger/streams/stream.ts';
import { Followed } from '../../../src/run/follow/followed.ts';
import { SlotSharing } from '../../../src/run/follow/slot-sharing.ts';
import { inTransaction } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const key = { sourceDb: 'shop', schema: 'public', selection: '*' };

describe('the leader that shares slots', () => {
  let sandbox: Sandbox;
  let session: Session;
  before(async () => {
    sandbox = await createSandbox();
    const options = { retryLimitMs: 0, answerTimeoutMs: 10_000, applicationName: 'mongo2pg test' };
    session = await Session.open({ url: sandbox.postgresUrl, ...options });
  });
  after(async () => {
    await session.close();
    await sandbox.remove();
  });

  // Red where it takes both for the same: a collection that was dropped ended with 4 and MERGE_STOPPED, by chance, instead of 3.
  it('hears of one that another host cannot merge, and leaves one that was dropped to the stream', async () => {
    const { client } = sandbox;
    const { hostId, row } = await inTransaction(client, async () => {
      await createLedger(client);
      const host = await insertHost(client, key, { task: 'copy', name: 'it', version: '1', settings: {} });
      await takeLeadership(client, key, host.hostId);
      await openStream(client, key, { token: Buffer.from('a position'), time: 5n }, false);
      await addStreamCollections(client, '1', ['dropped', 'merged', 'refused']);
      const { epoch } = await takeOverStream(client, '1');
      for (const collectionNo of [1, 2, 3]) {
        await prepareSlots(client, { streamId: '1', collectionNo, epoch });
      }
      return { hostId: host.hostId, row: { streamId: '1', epoch } };
    });
    await client.query(
      `UPDATE mongo2pg.stream_collections SET ended_by = 'it was dropped' WHERE collection = 'dropped';
       INSERT INTO mongo2pg.jobs (source_db, table_schema, selection) VALUES ('shop', 'public', '*');
       INSERT INTO mongo2pg.job_collections (job_id, collection, place, outcome, detail)
         SELECT job_id, 'refused', 1, 'failed', 'a trigger' FROM mongo2pg.jobs`,
    );
    const followed = ['dropped', 'merged', 'refused'].map(
      (collection, index) =>
        new Followed({
          ...{ source: `shop.${collection}`, collection, identity: null, table: collection, runId: '1' },
          place: { streamId: '1', collectionNo: index + 1, epoch: row.epoch },
        }),
    );
    await new SlotSharing({ session, row, key, hostId }).share(followed);
    assert.deepEqual(
      followed.map(({ failure }) => (failure instanceof Error ? failure.message : failure)),
      [null, null, 'another host could not merge its rows: a trigger'],
    );
  });
});
