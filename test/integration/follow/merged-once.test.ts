/** A drain is redelivered if its worker was killed before the ack: it is merged once, and never over what was merged after it. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BSON } from 'mongodb';
import { arrayOfDocuments } from '../../../src/bson/array.ts';
import { keyOfId, slotOfKey } from '../../../src/bson/id-key.ts';
import type { MergeOutcome } from '../../../src/observe/ack.ts';
import { Session } from '../../../src/postgres/connection/session.ts';
import { prepareSlots } from '../../../src/postgres/follow/journal.ts';
import { Merger } from '../../../src/postgres/follow/merge.ts';
import { createLedger } from '../../../src/postgres/ledger/ledger.ts';
import { addStreamCollections } from '../../../src/postgres/ledger/streams/stream-collections.ts';
import { openStream, takeOverStream } from '../../../src/postgres/ledger/streams/stream.ts';
import { withCodes } from '../../../src/postgres/load/loadable-batch.ts';
import type { Plan } from '../../../src/transcode/plan.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { inTransaction } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { someSettings } from '../../support/worker-settings.ts';

const id = 7;
const ids = arrayOfDocuments([BSON.serialize({ _id: id })]);
const slot = slotOfKey(keyOfId(BSON.serialize({ _id: id })));

const plan: Plan = {
  ...{ collection: 'things', schema: 'public', table: 'things', extraColumn: null },
  columns: [
    { field: '_id', column: '_id', type: 'int32' },
    { field: 'text', column: 'text', type: 'string' },
  ],
};

describe('a drain', () => {
  let sandbox: Sandbox;
  let session: Session;
  /** Of the slot. */
  let epoch: number;

  before(async () => {
    sandbox = await createSandbox();
    const { client, postgresUrl } = sandbox;
    const options = { retryLimitMs: 0, answerTimeoutMs: 10_000, applicationName: 'mongo2pg test' };
    session = await Session.open({ url: postgresUrl, ...options });
    await client.query('CREATE TABLE things (_id integer PRIMARY KEY, text text)');
    await inTransaction(client, async () => {
      await createLedger(client);
      const request = { sourceDb: 'shop', schema: 'public', selection: 'things' };
      await openStream(client, request, { token: Buffer.from('a position'), time: 5n }, false);
      await addStreamCollections(client, '1', ['things']);
      const ofStream = await takeOverStream(client, '1');
      const own = await prepareSlots(client, { streamId: '1', collectionNo: 1, epoch: ofStream.epoch });
      epoch = own.get(slot) ?? assert.fail('it has no such slot');
    });
  });
  after(async () => {
    await session.close();
    await sandbox.remove();
  });

  /** By the owner with an epoch, of the document as it was when it was read: none if it was deleted. */
  async function merge(
    drainNo: number,
    document: { readonly text: string } | null,
    of = epoch,
  ): Promise<MergeOutcome> {
    const stream = { streamId: '1', collectionNo: 1, epoch: 0 };
    const settings = {
      ...someSettings,
      purpose: 'merge',
      postgresUrl: sandbox.postgresUrl,
      plan,
      stream,
    } as const;
    const bytes = arrayOfDocuments(document === null ? [] : [BSON.serialize({ _id: id, ...document })]);
    const batch = {
      ...{ rangeNo: 0, epoch: of, number: 1, after: null, last: BSON.serialize({ _id: id }), bytes },
      ...{ documentCount: document === null ? 0 : 1, drain: { slot, drainNo, ids, seqs: [[]] } },
    };
    return await new Merger(session, settings).merge(
      batch,
      withCodes(createRowEncoder(plan).encodeBatch(bytes)),
    );
  }

  const readRows = async (): Promise<unknown[]> =>
    (await sandbox.client.query<Record<string, unknown>>('SELECT * FROM things')).rows;

  // Red where the number, or the epoch, is not checked when the slot is locked.
  it('that is redelivered, or of a superseded process, changes nothing', async () => {
    assert.deepEqual(await merge(0, { text: 'old' }), { ...nothing, inserted: 1 });
    assert.deepEqual(await merge(1, { text: 'new' }), { ...nothing, updated: 1 });
    for (const late of [{ text: 'old' }, null]) {
      assert.deepEqual(await merge(0, late), { ...nothing, isStale: true }, 'its number was counted');
      assert.deepEqual(
        await merge(2, late, epoch - 1),
        { ...nothing, isStale: true },
        'another has taken over',
      );
    }
    assert.deepEqual(await readRows(), [{ _id: id, text: 'new' }]);
    assert.deepEqual(await merge(2, null), { ...nothing, deleted: 1 });
    assert.deepEqual(await readRows(), []);
  });
});

const nothing = { isStale: false, inserted: 0, updated: 0, deleted: 0, refused: 0, deadLettered: 0 };
