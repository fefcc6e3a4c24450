import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { runCli, startCli } from '../../support/cli.ts';
import { makeDirectory, spawnHold, waitUntil } from '../../support/embedded.ts';
import { requireEqual, startFollowing, untilMerged } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

interface Counts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

const said =
  /: ([\d,]+) users? inserted, ([\d,]+) updated, ([\d,]+) deleted in [\d.]+ s \([\d,]+ changes\/s\)/;

function readCounts(stderr: string): Counts {
  const [inserted = NaN, updated = NaN, deleted = NaN] = (said.exec(stderr) ?? assert.fail(stderr))
    .slice(1)
    .map((text) => Number(text.replaceAll(',', '')));
  return { inserted, updated, deleted };
}

describe('npm run seed -- --live', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  const env = (collection: string): Record<string, string> => ({
    ...{ MONGO_URL: sandbox.env.MONGO_URL ?? '', MONGO_DB: sandbox.mongoDb, MONGO_COLLECTION: collection },
    AMOUNT_USERS_SEED: '500',
  });

  /** All but what the driver creates for each command. */
  async function read(collection: string): Promise<object[]> {
    return await sandbox.db
      .collection(collection)
      .find({}, { projection: { _id: 0 } })
      .sort({ id: 1 })
      .toArray();
  }

  it('reports what it did, as the server has seen it, and does the same each time', async () => {
    for (const name of ['users', 'others']) {
      const seeded = await runCli(['seed'], env(name));
      assert.equal(seeded.code, 0, seeded.stderr);
    }
    assert.deepEqual(await read('users'), await read('others'));
    const events: { readonly kind: string; readonly collection: string }[] = [];
    const stream = sandbox.db.watch();
    stream.on('change', (event) => {
      if ('ns' in event && 'coll' in event.ns) {
        events.push({ kind: event.operationType, collection: event.ns.coll });
      }
    });
    try {
      // The first command opens it, which `watch` does not wait for.
      await waitUntil('the stream is open', async () => {
        await sandbox.db.collection('pokes').insertOne({});
        return events.length > 0;
      });
      const { code, stderr } = await runCli(['seed', '--live', '2', '--rate', '200'], env('users'));
      assert.equal(code, 0, stderr);
      const counts = readCounts(stderr);
      assert.equal(counts.inserted + counts.updated + counts.deleted, 400);
      for (const [kind, share] of [
        ['inserted', 0.2],
        ['updated', 0.6],
        ['deleted', 0.2],
      ] as const) {
        assert.ok(Math.abs(counts[kind] / 400 - share) < 0.08, `${kind}: ${counts[kind]} of 400`);
      }
      const collection = sandbox.db.collection('users');
      assert.equal(await collection.countDocuments(), 500 + counts.inserted - counts.deleted);
      const count = (kind: string): number =>
        events.filter((event) => event.collection === 'users' && event.kind === kind).length;
      await waitUntil('all events are there', async () => {
        await sandbox.db.collection('pokes').insertOne({});
        return count('insert') + count('update') + count('delete') === 400;
      });
      assert.deepEqual(
        { inserted: count('insert'), updated: count('update'), deleted: count('delete') },
        counts,
      );
      // However the changes are cut into batches.
      const again = await runCli(['seed', '--live', '1', '--rate', '400'], env('others'));
      assert.equal(again.code, 0, again.stderr);
      assert.deepEqual(readCounts(again.stderr), counts);
      assert.deepEqual(await read('others'), await read('users'));
    } finally {
      await stream.close();
    }
  });

  it('begins with inserts in an empty collection', async () => {
    const { code, stderr } = await runCli(['seed', '--live', '1', '--rate', '50'], env('fresh'));
    assert.equal(code, 0, stderr);
    const { inserted, updated, deleted } = readCounts(stderr);
    assert.equal(inserted + updated + deleted, 50);
    assert.ok(deleted > 0 && updated > 0, stderr);
    assert.equal(await sandbox.db.collection('fresh').countDocuments(), inserted - deleted);
    assert.match(
      stderr,
      new RegExp(`changing users of ${sandbox.mongoDb}\\.fresh: 50 changes a second for 1 s`),
    );
  });

  it('ends at Ctrl-C, and reports what it did until then', async () => {
    const running = startCli(['seed', '--live', '3600', '--rate', '500'], env('endless'));
    const collection = sandbox.db.collection('endless');
    await waitUntil('users are there', async () => (await collection.countDocuments()) > 20);
    running.process.kill('SIGINT');
    const { code, stderr } = await running.result;
    assert.equal(code, 130, stderr);
    const { inserted, updated, deleted } = readCounts(stderr);
    assert.ok(updated > 0);
    assert.equal(await collection.countDocuments(), inserted - deleted);
  });

  it('makes changes that can be followed', async () => {
    const both = { ...env('followed'), ...sandbox.env, CLUSTER_IMPLEMENTATION: 'inline' };
    assert.equal((await runCli(['seed'], both)).code, 0);
    const job = startFollowing(both);
    await job.until('following');
    const { code, stderr } = await runCli(['seed', '--live', '2', '--rate', '300'], both);
    assert.equal(code, 0, stderr);
    await untilMerged(sandbox, job);
    await requireEqual(both);
    assert.equal((await job.stop()).code, 130);
  });

  it('does not change documents that it did not create', async () => {
    const orders = sandbox.db.collection('orders');
    const user = { id: 1, username: 'u', email: 'e', age: 3, createdAt: new Date(0) };
    await orders.insertMany([user, { ...user, balance: 100 }].map((each) => ({ ...each })));
    const before = await orders.find().toArray();
    const { code, stderr } = await runCli(['seed', '--live', '1'], env('orders'));
    assert.equal(code, 2, stderr);
    assert.match(stderr, /orders has documents that seed did not make — --live changes and deletes users/);
    assert.deepEqual(await orders.find().toArray(), before);
  });

  it('joins the embedded server that another command holds', async (t) => {
    const dataDir = await makeDirectory(t);
    const { lines } = await spawnHold(t, dataDir);
    const url = /mongodb:\S+/.exec(lines.join('\n'))?.[0] ?? assert.fail(lines.join('\n'));
    const { code, stderr } = await runCli(['seed', '--live', '1', '--rate', '40'], { DATA_DIR: dataDir });
    assert.equal(code, 0, stderr);
    const { inserted, deleted } = readCounts(stderr);
    const client = await MongoClient.connect(url);
    try {
      assert.equal(await client.db('school').collection('users').countDocuments(), inserted - deleted);
    } finally {
      await client.close();
    }
  });
});
