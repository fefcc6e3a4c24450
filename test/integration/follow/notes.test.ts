/**
 * What is to be compared again: notes of drains, and documents that differed. Each of these was seen red with its subject
 * removed from `src/postgres/follow/notes.ts` or `unverified.ts`.
 */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type pg from 'pg';
import { arrayOfDocuments } from '../../../src/bson/array.ts';
import { keyOfId, slotOfKey } from '../../../src/bson/id-key.ts';
import { prepareSlots } from '../../../src/postgres/follow/journal.ts';
import { noteStatement, removeNotes, takeNotes } from '../../../src/postgres/follow/notes.ts';
import {
  dateDifferences,
  forgetDifferencesStatement,
  keepDiffering,
  settleDifferences,
  takeDifferences,
  type NotedId,
} from '../../../src/postgres/follow/unverified.ts';
import { addStreamCollections } from '../../../src/postgres/ledger/streams/stream-collections.ts';
import { openStream, takeOverStream } from '../../../src/postgres/ledger/streams/stream.ts';
import { inTransaction } from '../../support/follow.ts';
import { int32, rawDocument } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

/** Each drain of these tests is of this one document. */
const id = rawDocument([[0x10, '_id', int32(7)]]);
const slot = slotOfKey(keyOfId(id));

describe('the documents to be compared again', () => {
  let sandbox: Sandbox;
  const place = { streamId: '1', collectionNo: 1 };
  let drainNo = 0;

  before(async () => {
    sandbox = await createSandbox();
    const request = { sourceDb: 'shop', schema: 'public', selection: 'things' };
    const position = { token: Buffer.from('a position'), time: 100n };
    await transact((client) => openStream(client, request, position, false));
    await transact((client) => addStreamCollections(client, '1', ['things']));
    const { epoch } = await transact((client) => takeOverStream(client, '1'));
    await transact((client) => prepareSlots(client, { ...place, epoch }));
  });
  after(() => sandbox.remove());
  beforeEach(async () => {
    await sandbox.client.query('DELETE FROM mongo2pg.notes; DELETE FROM mongo2pg.unverified');
  });

  const transact = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> =>
    inTransaction(sandbox.client, work);
  /** As a merge of this one document does it. */
  const drain = (): Promise<void> =>
    transact(async (client) => {
      const of = { slot, drainNo: drainNo++, ids: arrayOfDocuments([id]) };
      await client.query(
        `${noteStatement(place, of)}; ${forgetDifferencesStatement(place, of)};
         UPDATE mongo2pg.slots SET drain_no = drain_no + 1 WHERE slot = ${slot}`,
      );
    });
  const take = () => takeNotes(sandbox.client, place, null, 50);
  const listDifferences = () => takeDifferences(sandbox.client, place, null, 10);
  const findDifferent = async (): Promise<NotedId & { readonly isDifferent: boolean }> => {
    const { rows } = await sandbox.client.query<{ isDifferent: boolean; version: number; drainNo: number }>(
      `SELECT is_different AS "isDifferent", version::int, k.drain_no::int AS "drainNo"
         FROM mongo2pg.unverified JOIN mongo2pg.slots k USING (stream_id, collection_no, slot)`,
    );
    assert.ok(rows[0] !== undefined);
    return { id, ...rows[0] };
  };
  /** Compared, and different as this. */
  const settle = (noted: NotedId, differsHash: string | null): Promise<void> =>
    transact((client) => settleDifferences(client, place, [{ ...noted, differsHash }]));

  it('have a document once, whichever drains have merged it, and keep what is merged meanwhile', async () => {
    await drain();
    await drain();
    const taken = await take();
    assert.ok(taken !== null);
    assert.equal(taken.ids.length, 1);
    assert.equal(taken.drainNos.length, 2);
    assert.equal(taken.time, 100n);
    await drain();
    await removeNotes(sandbox.client, place, taken);
    assert.deepEqual((await take())?.drainNos, [drainNo - 1]);
  });

  it('continue with the next drains of a slot, and then with the next slot', async () => {
    for (let n = 0; n < 3; n++) await drain();
    const first = await takeNotes(sandbox.client, place, null, 2);
    assert.deepEqual(first?.drainNos, [drainNo - 3, drainNo - 2]);
    const second = await takeNotes(sandbox.client, place, { slot, drainNo: drainNo - 2 }, 2);
    assert.deepEqual(second?.drainNos, [drainNo - 1]);
    assert.equal(await takeNotes(sandbox.client, place, { slot, drainNo: drainNo - 1 }, 2), null);
  });

  it('are different if the same document differs twice, after all earlier changes are merged', async () => {
    await drain();
    const [noted] = (await take())?.ids ?? [];
    assert.ok(noted !== undefined);
    await settle(noted, 'a');
    assert.equal((await listDifferences()).ids.length, 0, 'no time was taken since');
    await dateDifferences(sandbox.client, place, 101n);
    assert.equal((await listDifferences()).ids.length, 0, 'the position is before that time');
    await dateAgain(100n);
    await sandbox.client.query(
      `INSERT INTO mongo2pg.changes (stream_id, collection_no, slot, id, changed) VALUES (1, 1, ${slot}, '', 99)`,
    );
    assert.equal((await listDifferences()).ids.length, 0, 'a change before that time waits');
    await sandbox.client.query('DELETE FROM mongo2pg.changes');
    const [again] = (await listDifferences()).ids;
    assert.ok(again !== undefined);
    await settle(again, 'b');
    assert.equal((await findDifferent()).isDifferent, false, 'it is another document now');
    await settle(await findDifferent(), 'b');
    assert.equal((await findDifferent()).isDifferent, true);
    await settle(await findDifferent(), null);
    const { rows } = await sandbox.client.query('SELECT FROM mongo2pg.unverified');
    assert.equal(rows.length, 0, 'it is equal');
  });

  it('are not different if a drain has merged the document in between', async () => {
    await transact((client) => keepDiffering(client, place, [id]));
    await settle(await findDifferent(), 'a');
    await drain();
    const { rows } = await sandbox.client.query('SELECT FROM mongo2pg.unverified');
    assert.equal(rows.length, 0, 'the drain has noted it');
  });

  it('are not different if a drain has merged the document since it was taken', async () => {
    await drain();
    const [noted] = (await take())?.ids ?? [];
    assert.ok(noted !== undefined);
    await drain();
    await settle(noted, 'a');
    await settle(await findDifferent(), 'a');
    assert.equal((await findDifferent()).isDifferent, false, 'the first of them is known to be of before');
    await settle(await findDifferent(), 'a');
    assert.equal((await findDifferent()).isDifferent, true);
  });

  it('are not settled by a superseded comparison', async () => {
    await transact((client) => keepDiffering(client, place, [id]));
    const early = await findDifferent();
    await settle(early, 'a');
    await settle(early, null);
    assert.equal((await findDifferent()).version, 1);
    await settle(early, 'a');
    assert.equal((await findDifferent()).isDifferent, false);
  });

  async function dateAgain(time: bigint): Promise<void> {
    await sandbox.client.query('UPDATE mongo2pg.unverified SET differs_time = NULL');
    await dateDifferences(sandbox.client, place, time);
  }
});
