/** Rows of other writers are found by their transactions and by the number of rows, also after merges were checked. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import {
  checkTables,
  describeCheck,
  keepCheck,
  type TableCheck,
} from '../../../src/postgres/follow/table-check.ts';
import { findRunById } from '../../../src/postgres/ledger/runs.ts';
import { findVerification } from '../../../src/postgres/ledger/streams/verifications.ts';
import { inTransaction, startFollowing, untilMerged, type Following } from '../../support/follow.ts';
import { waitUntil } from '../../support/embedded.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('the check of followed tables', () => {
  let sandbox: Sandbox;
  let following: Following;
  const place = { streamId: '1', collectionNo: 1 };
  const things = () => sandbox.db.collection<{ _id: number; name: string; unique: number }>('things');
  const check = async (
    work: (client: pg.Client) => Promise<void> = () => Promise.resolve(),
    maxAge?: bigint,
  ): Promise<TableCheck> => {
    const run = await findRunById(sandbox.client, '1');
    assert.ok(run !== null);
    return await inTransaction(sandbox.client, async (client) => {
      const found = await checkTables(client, place, run.settings.plan, maxAge);
      assert.ok(found !== null);
      await work(client);
      return found;
    });
  };

  before(async () => {
    sandbox = await createSandbox();
    await things().insertMany(Array.from({ length: 500 }, (_, _id) => ({ _id, name: 'a', unique: _id })));
    following = startFollowing({ ...sandbox.env, MONGO_COLLECTION: 'things' });
    await following.until('following', ({ collections }) => collections[0]?.proof?.verifiedAt != null);
  });
  after(async () => {
    await following.stop();
    await sandbox.remove();
  });

  it('accepts what merges have written, also row by row', async () => {
    await things().updateMany({ _id: { $lt: 100 } }, { $set: { name: 'b' } });
    await things().deleteOne({ _id: 100 });
    // Two that PostgreSQL would reject together are merged with savepoints.
    await sandbox.client.query('CREATE UNIQUE INDEX ON things ("unique")');
    await things().updateOne({ _id: 1 }, { $set: { unique: 2 } });
    await untilMergedButRefused();
    await things().updateOne({ _id: 2 }, { $set: { unique: 1 } });
    await untilMerged(sandbox, following);
    const { rows, foreignRows, surplusRows } = await check();
    assert.deepEqual({ rows, foreignRows, surplusRows }, { rows: 499, foreignRows: 0, surplusRows: 0 });
  });

  it('forgets merges that were accepted, and still accepts their rows', async () => {
    const since = (await findVerification(sandbox.client, place))?.sinceXid ?? 0n;
    // Merges are kept if they began after a transaction that is still open, in any database of the server.
    await waitUntil('all merges are forgotten', async () => {
      await check((client) => keepCheck(client, place));
      return (await sandbox.client.query('SELECT FROM mongo2pg.merges')).rows.length === 0;
    });
    assert.ok(((await findVerification(sandbox.client, place))?.sinceXid ?? 0n) > since);
    assert.equal((await check()).foreignRows, 0);
    await things().updateOne({ _id: 3 }, { $set: { name: 'c' } });
    await untilMerged(sandbox, following);
    assert.equal((await check()).foreignRows, 0);
  });

  it('finds rows that another program has written or deleted', async () => {
    await sandbox.client.query(`UPDATE things SET name = name WHERE _id IN (5, 6)`);
    assert.equal((await check()).foreignRows, 2);
    await sandbox.client.query(`DELETE FROM things WHERE _id = 7`);
    assert.equal((await check()).surplusRows, -1);
  });

  it('reports when too many transactions have passed for their ids to be compared', async () => {
    const { isTooOld } = await check(undefined, 1_000n);
    assert.equal(isTooOld, false);
    const late = await check(undefined, 0n);
    assert.equal(describeCheck(late), 'too many transactions have passed since');
  });

  /** Refused changes wait in the journal. */
  async function untilMergedButRefused(): Promise<void> {
    await following.until('following', ({ waiting, refused }) => waiting > 0 && waiting === refused);
  }
});
