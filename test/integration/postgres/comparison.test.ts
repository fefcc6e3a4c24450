import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { serialize } from 'bson';
import { Comparer } from '../../../src/postgres/compare/comparison.ts';
import { copyRows } from '../../../src/postgres/load/copy.ts';
import { copyStatement, createTableStatement } from '../../../src/postgres/table/ddl.ts';
import { createLedger } from '../../../src/postgres/ledger/ledger.ts';
import { openLoadingSession } from '../../../src/postgres/load/load.ts';
import type { Session } from '../../../src/postgres/connection/session.ts';
import type { Batch } from '../../../src/source/page.ts';
import { createRowEncoder } from '../../../src/transcode/row.ts';
import { noise } from '../../support/noise.ts';
import { makePlan, rawArray } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const perBatch = 5_000;

describe('Comparer', () => {
  const plan = makePlan({ _id: 'int32', text: 'string' });
  let sandbox: Sandbox;
  let session: Session;
  before(async () => {
    sandbox = await createSandbox();
    const settings = { postgresUrl: sandbox.postgresUrl, retryLimitMs: 0, answerTimeoutMs: 30_000 };
    session = await openLoadingSession(settings, 'coordinator');
  });
  after(async () => {
    await session.close();
    await sandbox.remove();
  });

  it('names the right document, also if COPY puts short rows into the gaps between long ones', async () => {
    const { client } = sandbox;
    await createLedger(client);
    await client.query(createTableStatement(plan));
    const batches = [0, 1, 2].map(makeBatch);
    for (const { bytes } of batches) {
      await copyRows(client, copyStatement(plan), createRowEncoder(plan).encodeBatch(bytes).copy);
    }
    const { table } = plan;
    await client.query(`DELETE FROM ${table} WHERE _id = 12500`);
    await client.query(`UPDATE ${table} SET text = '' WHERE _id = 14900`);
    const comparer = new Comparer(session, { plan, runId: '1', postgresUrl: sandbox.postgresUrl });
    const found = [];
    for (const batch of batches) {
      const encoded = createRowEncoder(plan).encodeBatch(batch.bytes);
      const letters = encoded.deadLetters.map((letter) => ({ ...letter, code: null }));
      const { differences } = await comparer.compare(batch, { ...encoded, deadLetters: letters });
      found.push(...differences);
    }
    assert.deepEqual(
      found.map(({ kind, id }) => [kind, id]),
      [
        ['missing', '{"$numberInt":"12500"}'],
        ['different', '{"$numberInt":"14900"}'],
      ],
    );
  });
});

function makeBatch(index: number): Batch {
  const first = index * perBatch;
  // Long ones of up to 1,900 bytes, which Postgres neither compresses nor moves out of the row.
  const documents = Array.from({ length: perBatch }, (_, place) => {
    const _id = first + place;
    return serialize({ _id, text: _id % 3 === 0 ? noise(_id, (_id * 7_919) % 1_900) : 'short' });
  });
  return {
    number: first + 1,
    rangeNo: 1,
    epoch: 1,
    documentCount: perBatch,
    bytes: rawArray(documents),
    after: null,
    last: serialize({ _id: first + perBatch - 1 }),
  };
}
