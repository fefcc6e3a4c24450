/** What a process must not write once another has superseded it, at any point. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { prepareSlots } from '../../../src/postgres/follow/journal.ts';
import { removeSurplus } from '../../../src/postgres/follow/surplus.ts';
import { finishCutover } from '../../../src/postgres/ledger/streams/cutover.ts';
import { reopenCollections } from '../../../src/postgres/ledger/streams/stopped-collections.ts';
import { addStreamCollections } from '../../../src/postgres/ledger/streams/stream-collections.ts';
import {
  advanceStream,
  endStream,
  openStream,
  StreamEndedError,
  takeOverStream,
} from '../../../src/postgres/ledger/streams/stream.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('a process that was superseded', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(() => sandbox.remove());

  async function transact<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { client } = sandbox;
    await client.query('BEGIN');
    try {
      return await work(client);
    } finally {
      await client.query('COMMIT');
    }
  }

  it('does not prepare slots, delete rows, or advance the position', async () => {
    const request = { sourceDb: 'shop', schema: 'public', selection: 'things' };
    const position = { token: Buffer.from('a position'), time: 5n };
    const { streamId } = await transact((client) => openStream(client, request, position, false));
    await transact((client) => addStreamCollections(client, streamId, ['things']));
    const epochs: number[] = [];
    for (let n = 0; n < 2; n++) {
      const { epoch } = await transact((client) => takeOverStream(client, streamId));
      epochs.push(epoch);
    }
    const [old = 0, current = 0] = epochs;
    const place = { streamId, collectionNo: 1 };
    const own = await transact((client) => prepareSlots(client, { ...place, epoch: current }));
    const plan = { collection: 'things', schema: 'public', table: 'things', columns: [], extraColumn: null };
    const advance = { position, serverTime: 6n, oldestTime: null, events: {} };
    for (const write of [
      (client: pg.Client) => prepareSlots(client, { ...place, epoch: old }),
      (client: pg.Client) => removeSurplus(client, { ...place, epoch: old }, plan, '1'),
      (client: pg.Client) => advanceStream(client, { streamId, epoch: old }, advance),
    ]) {
      await assert.rejects(
        transact<unknown>(write),
        (error) => error instanceof StreamEndedError && !error.isCutOver,
      );
    }
    const readEpochs = async (): Promise<number[]> => {
      const { rows } = await sandbox.client.query<{ epoch: number }>(
        'SELECT epoch FROM mongo2pg.slots ORDER BY slot',
      );
      return rows.map(({ epoch }) => epoch);
    };
    const ofOwn = [...own.entries()].sort(([a], [b]) => a - b).map(([, epoch]) => epoch);
    assert.equal(ofOwn.length, 64);
    assert.deepEqual(await readEpochs(), ofOwn, 'they are still its own');

    // Red where only a takeover fences them: a merge that comes late would write into the table of another copy, or over the
    // application's rows.
    for (const loseSlots of [
      (client: pg.Client) => reopenCollections(client, { streamId }, ['things']),
      (client: pg.Client) => finishCutover(client, streamId, {}),
      (client: pg.Client) => endStream(client, streamId),
    ]) {
      const before = await readEpochs();
      await sandbox.client.query('BEGIN');
      await loseSlots(sandbox.client);
      assert.deepEqual(
        await readEpochs(),
        before.map((epoch) => epoch + 1),
      );
      await sandbox.client.query('ROLLBACK');
    }

    // A process that meets a cutover is not superseded.
    assert.ok(await transact((client) => finishCutover(client, streamId, {})));
    await assert.rejects(
      transact((client) => prepareSlots(client, { ...place, epoch: current })),
      (error) => error instanceof StreamEndedError && error.isCutOver,
    );
  });
});
