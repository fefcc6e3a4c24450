import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { serialize } from 'bson';
import { createLedgerClaim } from '../../../src/postgres/ledger/claim.ts';
import { closePostgres, connectPostgres } from '../../../src/postgres/connection/connection.ts';
import { beginRun, continueRun, type OpenRun } from '../../../src/postgres/table/run-opening.ts';
import { findRun } from '../../../src/postgres/ledger/runs.ts';
import { Session } from '../../../src/postgres/connection/session.ts';
import { waitUntil } from '../../support/embedded.ts';
import { makePlan } from '../../support/raw-bson.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const plan = makePlan({ _id: 'int32', text: 'string' });
const settings = { source: plan.collection, collectionId: null, choices: {}, plan };
const last = Buffer.from(serialize({ _id: 10 }));
const batch = {
  rangeNo: 1,
  epoch: 1,
  number: 1,
  documentCount: 10,
  bytes: Buffer.alloc(100),
  after: null,
  last,
};
const account = {
  documentCount: 10,
  copied: 10,
  deadLettered: 0,
  dropped: 0,
  addedRows: 0,
  extra: [],
  childRows: 0,
};

describe('resuming a run while a worker of its former primary commits', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  async function open(): Promise<Session> {
    const limits = { retryLimitMs: 1_000, answerTimeoutMs: 60_000 };
    return await Session.open({ url: sandbox.postgresUrl, applicationName: 'mongo2pg primary', ...limits });
  }

  async function waitForLock(): Promise<void> {
    await waitUntil('the session waits for the lock', async () => {
      const { rowCount } = await sandbox.client.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'mongo2pg primary' AND wait_event_type = 'Lock'`,
      );
      return rowCount === 1;
    });
  }

  for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
    it(`sees what that has committed, though the sessions' default is ${isolation}`, async () => {
      const name = new URL(sandbox.postgresUrl).pathname.slice(1);
      await sandbox.client.query(`ALTER DATABASE ${name} SET default_transaction_isolation = '${isolation}'`);
      const session = await open();
      const worker = await connectPostgres(sandbox.postgresUrl, 'mongo2pg worker');
      try {
        const begun = await beginRun(session, settings, 'drop', null);
        await worker.client.query('BEGIN');
        await worker.client.query(createLedgerClaim(begun.runId, 'things').statement(batch, account));
        const run = await session.run((client) => findRun(client, plan));
        assert.ok(run !== null);
        let continued: OpenRun | undefined;
        const continuing = continueRun(session, run).then((open) => (continued = open));
        await waitForLock();
        assert.equal(continued, undefined, 'it waits for the worker');
        await worker.client.query('COMMIT');
        const { ranges, committed, epoch } = await continuing;
        assert.deepEqual(ranges, [{ rangeNo: 2, epoch: 1, after: last, until: null }]);
        assert.equal(committed.documentCount, 10);
        assert.equal(epoch, begun.epoch + 1);
      } finally {
        await closePostgres(worker);
        await session.close();
      }
    });
  }
});
