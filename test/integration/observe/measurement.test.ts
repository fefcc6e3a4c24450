import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { findBottleneck } from '../../../src/observe/bottleneck.ts';
import { addUpWorkers, type Measurement } from '../../../src/observe/measurement.ts';
import { readEvents, startCli } from '../../support/cli.ts';
import { startPrivateMongo, type PrivateMongo } from '../../support/private-servers.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const pages = 8;
const itemsPerPage = 100;
/** Long compared with what 100 documents take, also on a busy machine. */
const slowMs = 100;

describe('the measurements of a run', () => {
  let sandbox: Sandbox;
  let mongo: PrivateMongo;
  let client: MongoClient;
  before(async () => {
    sandbox = await createSandbox();
    mongo = await startPrivateMongo();
    client = await MongoClient.connect(mongo.url);
    const documents = Array.from({ length: pages * itemsPerPage }, (_, id) => ({ _id: id as never, id }));
    await client.db('school').collection('numbers').insertMany(documents);
  });
  after(async () => {
    await client.close();
    await mongo.remove();
    await sandbox.remove();
  });

  async function measure(): Promise<Measurement> {
    const run = startCli(['--json', '--restart', '--if-exists', 'truncate'], {
      ...sandbox.env,
      MONGO_URL: mongo.url,
      MONGO_DB: 'school',
      MONGO_COLLECTION: 'numbers',
      CLUSTER_SIZE: '2',
      // So that there are enough pages, and waits for them, to measure.
      READ_RANGES: '1',
      ITEMS_PER_PAGE: String(itemsPerPage),
    });
    let measurement: Measurement | undefined;
    for await (const event of readEvents(run.process)) {
      if (event.kind === 'summary') measurement = event.measurement;
    }
    const { code, stderr } = await run.result;
    assert.equal(code, 0, stderr);
    // The load of the processors is not the subject of this test.
    return { ...(measurement ?? assert.fail('there is a summary')), processorShare: null };
  }

  it('are consistent: the waits of the primary are within the load, and the work of a worker within its time', async () => {
    const { loadMs, readMs, roomMs, drainMs, workers } = await measure();
    assert.ok(readMs > 0 && drainMs > 0 && readMs + roomMs + drainMs <= loadMs);
    assert.equal(addUpWorkers(workers).batches, pages);
    for (const worker of workers) {
      const { readyMs, transcodeMs, claimMs, copyMs, commitMs, idleMs, handOverMs, peakMemoryBytes } = worker;
      assert.ok(Math.min(transcodeMs, claimMs, copyMs, commitMs, idleMs) >= 0, JSON.stringify(worker));
      assert.ok(transcodeMs + worker.loadMs <= readyMs && readyMs <= loadMs, JSON.stringify(worker));
      assert.ok(claimMs + copyMs + commitMs <= worker.loadMs + 1, JSON.stringify(worker));
      assert.ok(handOverMs >= 0 && handOverMs <= idleMs, JSON.stringify(worker));
      assert.ok(worker.batches === 0 || peakMemoryBytes > 20e6, JSON.stringify(worker));
    }
  });

  it('show that MongoDB is slow', async (t) => {
    const admin = client.db('admin');
    t.after(() => admin.command({ configureFailPoint: 'failCommand', mode: 'off' }));
    await admin.command({
      configureFailPoint: 'failCommand',
      mode: 'alwaysOn',
      data: { failCommands: ['find'], blockConnection: true, blockTimeMS: slowMs },
    });
    const measurement = await measure();
    assert.ok(measurement.readMs >= pages * slowMs, `${measurement.readMs}`);
    assert.equal(findBottleneck(measurement)?.kind, 'source');
  });

  const triggers = {
    copyMs: 'TRIGGER slow BEFORE INSERT ON numbers EXECUTE FUNCTION be_slow()',
    commitMs: `CONSTRAINT TRIGGER slow AFTER INSERT ON numbers DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (NEW.id % ${itemsPerPage} = 0) EXECUTE FUNCTION be_slow()`,
  } as const;
  for (const [step, trigger] of Object.entries(triggers) as [keyof typeof triggers, string][]) {
    it(`show that Postgres is slow in ${step}`, async (t) => {
      t.after(() => sandbox.client.query('DROP FUNCTION be_slow CASCADE'));
      await sandbox.client.query(
        `CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_sleep(${slowMs} / 1000.0); RETURN NULL; END $$;
         CREATE ${trigger}`,
      );
      const measurement = await measure();
      const totals = addUpWorkers(measurement.workers);
      assert.ok(totals[step] >= pages * slowMs, JSON.stringify(totals));
      assert.ok(totals[step] > 0.5 * totals.loadMs, JSON.stringify(totals));
      assert.equal(findBottleneck(measurement)?.kind, 'postgres');
    });
  }
});
