import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { serialize } from 'bson';
import { createLedgerClaim, type ClaimRow } from '../../../src/postgres/ledger/claim.ts';
import { foldRanges, foldRun } from '../../../src/postgres/ledger/fold.ts';
import { SupersededError, takeOverRun } from '../../../src/postgres/ledger/leadership.ts';
import { readGaps, replaceRanges } from '../../../src/postgres/ledger/ranges.ts';
import { readExtra, readTotals } from '../../../src/postgres/ledger/runs.ts';
import { beginRun, type OpenRun } from '../../../src/postgres/table/run-opening.ts';
import type { Session } from '../../../src/postgres/connection/session.ts';
import type { Batch } from '../../../src/source/page.ts';
import { makePlan } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { openSession } from '../../support/session.ts';

const plan = makePlan({ _id: 'int32', text: 'string' });
const settings = { source: plan.collection, collectionId: null, choices: {}, plan };
const all = { worthFolding: 1, rowsAtATime: 100 };

function toId(id: number | null): Buffer | null {
  return id === null ? null : Buffer.from(serialize({ _id: id }));
}

/** Ten documents, up to `lastId`. */
function batchOf(rangeNo: number, lastId: number, after: number | null = lastId - 10 || null): Batch {
  const last = Buffer.from(serialize({ _id: lastId }));
  const place = { rangeNo, epoch: 1, number: lastId - 9, after: toId(after), last };
  return { ...place, documentCount: 10, bytes: Buffer.alloc(7) };
}

/** Each batch has its own counts. */
function accountOf(lastId: number): ClaimRow {
  const field = lastId % 20 === 0 ? 'age' : 'name';
  return {
    ...{ documentCount: 10, copied: 7, deadLettered: 1, dropped: 2, addedRows: 3, childRows: 4 },
    extra: [{ field, type: 'string', reason: 'does_not_fit', count: lastId }],
  };
}

describe('folding the batches of a run', () => {
  let sandbox: Sandbox;
  let session: Session;
  let run: OpenRun;
  before(async () => {
    sandbox = await createSandbox();
    session = await openSession(sandbox);
  });
  after(async () => {
    await session.close();
    await sandbox.remove();
  });
  beforeEach(async () => {
    run = await beginRun(session, settings, 'drop', null);
  });

  const claim = () => createLedgerClaim(run.runId, 'things');

  async function commit(batch: Batch, lastId: number): Promise<void> {
    await session.run((client) => client.query(claim().statement(batch, accountOf(lastId))));
  }

  async function commitAll(rangeNo: number, ...lastIds: readonly number[]): Promise<void> {
    for (const lastId of lastIds) await commit(batchOf(rangeNo, lastId), lastId);
  }

  async function readRows(): Promise<[rangeNo: number, batch: number, documents: number][]> {
    const { rows } = await sandbox.client.query<{ range: number; batch: string; documents: number }>(
      `SELECT range_no AS range, batch, documents FROM mongo2pg.batches WHERE run_id = $1 ORDER BY 1, 2`,
      [run.runId],
    );
    return rows.map(({ range, batch, documents }) => [range, Number(batch), documents]);
  }

  /** All sums over batches. */
  async function readSums(): Promise<unknown> {
    const { rows } = await sandbox.client.query(
      'SELECT max(committed_at)::text AS last, sum(added_rows) AS added FROM mongo2pg.batches WHERE run_id = $1',
      [run.runId],
    );
    return await session.run(async (client) => ({
      totals: await readTotals(client, run.runId),
      extra: await readExtra(client, run.runId),
      gaps: await readGaps(client, run.runId, true),
      rows,
    }));
  }

  it('makes one row of each part without a gap, and keeps sums, gaps and the counts of the extra column', async () => {
    await session.transaction((client) =>
      replaceRanges(client, run.runId, [
        { after: null, until: toId(90) },
        { after: toId(90), until: toId(120) },
      ]),
    );
    await commitAll(2, 10, 20, 30, 60, 70, 90);
    await commitAll(3, 100, 110, 120);
    const before = await readSums();
    assert.deepEqual(await foldRun(session, run, all), { before: 9, after: 4 });
    assert.deepEqual(await readRows(), [
      [2, 1, 30],
      [2, 51, 20],
      [2, 81, 10],
      [3, 91, 30],
    ]);
    assert.deepEqual(await readSums(), before);
    assert.deepEqual(await foldRun(session, run, all), { before: 3, after: 3 });
    assert.deepEqual(await readSums(), before);
  });

  it('refuses a late batch whose row was removed', async () => {
    await commitAll(1, 10, 20, 30);
    await foldRun(session, run, all);
    const late = commit(batchOf(1, 20), 20);
    const error = await late.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.throws(() => claim().isTaken(error), SupersededError);
    assert.deepEqual(await readRows(), [[1, 1, 30]]);
  });

  it('resumes where an earlier attempt has ended, a few ranges at a time', async () => {
    await session.transaction((client) =>
      replaceRanges(client, run.runId, [
        { after: null, until: toId(30) },
        { after: toId(30), until: null },
      ]),
    );
    await commitAll(2, 10, 20, 30);
    await commitAll(3, 40, 50, 60);
    const before = await readSums();
    assert.equal(await session.transaction((client) => foldRanges(client, run, [2])), 2);
    assert.deepEqual(await foldRun(session, run, { worthFolding: 1, rowsAtATime: 1 }), {
      before: 3,
      after: 1,
    });
    assert.deepEqual(await readRows(), [
      [2, 1, 30],
      [3, 31, 30],
    ]);
    assert.deepEqual(await readSums(), before);
  });

  it('starts another row before a count exceeds its column type', async () => {
    await commitAll(1, 10, 20, 30);
    const place = 'WHERE run_id = $1 AND batch = 11';
    await sandbox.client.query(`UPDATE mongo2pg.batches SET added_rows = 2000000000 ${place}`, [run.runId]);
    assert.deepEqual(await foldRun(session, run, all), { before: 3, after: 3 });
    // Two batches that count documents far apart, though the chain has no gap there.
    await sandbox.client.query(`UPDATE mongo2pg.batches SET added_rows = 0 ${place}`, [run.runId]);
    await sandbox.client.query(
      'UPDATE mongo2pg.batches SET batch = 100000001 WHERE run_id = $1 AND batch = 21',
      [run.runId],
    );
    assert.deepEqual(await foldRun(session, run, all), { before: 3, after: 2 });
  });

  it('is skipped for few batches, and if the user may not delete rows', async () => {
    await commitAll(1, 10, 20, 30);
    assert.equal(await foldRun(session, run), null);
    await sandbox.client.query(`CREATE ROLE r_${run.runId}_${sandbox.mongoDb};
      GRANT USAGE ON SCHEMA mongo2pg TO r_${run.runId}_${sandbox.mongoDb};
      GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA mongo2pg TO r_${run.runId}_${sandbox.mongoDb}`);
    try {
      await session.run((client) => client.query(`SET ROLE r_${run.runId}_${sandbox.mongoDb}`));
      assert.equal(await foldRun(session, run, all), null);
    } finally {
      await session.run((client) => client.query('RESET ROLE'));
      await sandbox.client.query(`DROP OWNED BY r_${run.runId}_${sandbox.mongoDb};
        DROP ROLE r_${run.runId}_${sandbox.mongoDb}`);
    }
  });

  it('is refused for a process that no longer leads the run', async () => {
    await commitAll(1, 10, 20, 30);
    await session.transaction((client) => takeOverRun(client, run.runId));
    await assert.rejects(foldRun(session, run, all), SupersededError);
    assert.equal((await readRows()).length, 3);
  });
});
