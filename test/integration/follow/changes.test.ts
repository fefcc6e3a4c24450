/** Each kind of change, before, during and after the copy: in the end the rows equal the documents. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BSON, Binary, Double, Int32, Long, ObjectId } from 'mongodb';
import { keyOfId, slotOfKey } from '../../../src/bson/id-key.ts';
import { ExitCode } from '../../../src/common/errors.ts';
import { requireEqual, startFollowing, untilMerged, type Following } from '../../support/follow.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

interface Thing {
  _id: number;
  name?: unknown;
  tags?: unknown;
  added?: unknown;
}

/** Which are drained together when they are changed together. */
function listIdsOfOneSlot(count: number, from: number): number[] {
  const slotOf = (_id: number): number => slotOfKey(keyOfId(BSON.serialize({ _id })));
  const ids: number[] = [];
  for (let id = from; ids.length < count; id++) if (slotOf(id) === slotOf(from)) ids.push(id);
  return ids;
}

describe('a followed collection', () => {
  let sandbox: Sandbox;
  let following: Following;
  let env: Readonly<Record<string, string>>;
  const things = () => sandbox.db.collection<Thing>('things');

  before(async () => {
    sandbox = await createSandbox();
    env = { ...sandbox.env, MONGO_COLLECTION: 'things' };
    await things().insertMany(
      Array.from({ length: 3_000 }, (_, _id) => ({ _id, name: `thing ${_id}`, tags: ['a', _id] })),
    );
    following = startFollowing(env);
    await following.until('following');
  });
  after(async () => {
    const { code, stderr } = await following.stop();
    assert.equal(code, ExitCode.sigint, stderr);
    await sandbox.remove();
  });

  async function requireInStep(): Promise<void> {
    await untilMerged(sandbox, following);
    await requireEqual(env);
  }

  async function readRow(id: string): Promise<Record<string, unknown> | undefined> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(
      'SELECT * FROM things WHERE _id::text = $1',
      [id],
    );
    return rows[0];
  }

  it('has rows inserted, updated and deleted', async () => {
    await things().insertMany(Array.from({ length: 500 }, (_, i) => ({ _id: 10_000 + i, name: 'new' })));
    await things().updateMany({ _id: { $lt: 300 } }, { $set: { name: 'changed' } });
    await things().replaceOne({ _id: 400 }, { name: 'replaced', added: new Date(0) });
    await things().deleteMany({ _id: { $gte: 2_000, $lt: 2_100 } });
    await requireInStep();
    const { rows } = await sandbox.client.query<{ count: string }>('SELECT count(*) FROM things');
    assert.equal(rows[0]?.count, '3400');
  });

  it('loses fields that are unset, and truncated elements of arrays, although the event does not name them', async () => {
    await things().updateOne({ _id: 500 }, { $unset: { name: 1 }, $set: { added: 1 } });
    await things().updateOne({ _id: 501 }, [{ $set: { name: 'by a pipeline' } }, { $unset: 'tags' }]);
    await requireInStep();
    assert.equal((await readRow('500'))?.name, null);
    assert.equal((await readRow('501'))?.tags, null);
  });

  // Red where each change is recorded and drained separately: it takes longer than the limit.
  it('has the last state of a document that was changed many times, with few merges', async () => {
    for (let n = 0; n < 40; n++) {
      await things().bulkWrite(
        Array.from({ length: 50 }, (_, i) => ({
          updateOne: { filter: { _id: 600 }, update: { $set: { name: `version ${n * 50 + i}` } } },
        })),
      );
    }
    await requireInStep();
    assert.equal((await readRow('600'))?.name, 'version 1999');
    const { rows } = await sandbox.client.query<{ drains: string }>(
      'SELECT sum(drain_no) AS drains FROM mongo2pg.slots',
    );
    assert.ok(Number(rows[0]?.drains) < 1_000, `${rows[0]?.drains ?? ''} drains`);
  });

  it('accepts an _id that is deleted and inserted again as an equal number of another type', async () => {
    for (const value of [new Double(700), Long.fromNumber(700), new Int32(700)]) {
      await things().deleteOne({ _id: 700 });
      await things().insertOne({ _id: value as unknown as number, name: value.constructor.name });
      await untilMerged(sandbox, following);
      const { rows } = await sandbox.client.query<{ name: string }>(
        "SELECT name FROM things WHERE _id::text = '700'",
      );
      // The column is an integer: equal numbers are the same key, whatever their type.
      assert.deepEqual(rows, [{ name: value.constructor.name }]);
    }
    await requireInStep();
  });

  it('keeps a value that does not fit its column in _extra, until it is removed', async () => {
    await things().updateOne(
      { _id: 800 },
      { $set: { name: { first: 'a' }, added: new Binary(Buffer.from('x')) } },
    );
    await requireInStep();
    assert.ok('name' in ((await readRow('800'))?._extra as object));
    await things().updateOne({ _id: 800 }, { $set: { name: 'text' }, $unset: { added: 1 } });
    await requireInStep();
    assert.equal((await readRow('800'))?._extra, null);
  });

  it('makes a document that cannot become a row a dead letter, until it is fixed or deleted', async () => {
    const letters = async (): Promise<number> => {
      const { rows } = await sandbox.client.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM mongo2pg.dead_letters',
      );
      return rows[0]?.count ?? 0;
    };
    await things().updateMany({ _id: { $in: [900, 901] } }, { $set: { name: 'a\0b' } });
    await untilMerged(sandbox, following);
    assert.equal(await letters(), 2);
    assert.equal(await readRow('900'), undefined);
    await things().updateOne({ _id: 900 }, { $set: { name: 'healed' } });
    await things().deleteOne({ _id: 901 });
    await requireInStep();
    assert.equal(await letters(), 0);
    assert.equal((await readRow('900'))?.name, 'healed');
  });

  // Red where the first reply is treated as complete: rows are deleted whose documents came later.
  it('merges documents of one drain that together exceed a reply of 16 MB', async () => {
    const ids = listIdsOfOneSlot(12, 30_000);
    const large = 'x'.repeat(3_000_000);
    await things().insertMany(ids.map((_id) => ({ _id, name: 'small' })));
    await requireInStep();
    await things().updateMany({ _id: { $in: ids } }, { $set: { name: large } });
    await requireInStep();
    const { rows } = await sandbox.client.query('SELECT FROM things WHERE name = $1', [large]);
    assert.equal(rows.length, ids.length);
    await things().updateMany({ _id: { $in: ids } }, { $set: { name: 'small' } });
    await requireInStep();
  });

  it('merges changed documents of 16 MB', async () => {
    const largest = 'x'.repeat(16 * 1024 * 1024 - 200);
    const ids = [20_000, 20_001];
    for (const _id of ids) await things().insertOne({ _id, name: largest, tags: ['a'] });
    // The event of such a change is short; with the document it would exceed the limit of a server.
    await things().updateMany({ _id: { $in: ids } }, { $set: { tags: ['b', 'c'] } });
    await requireInStep();
    assert.deepEqual((await readRow('20001'))?.tags, ['b', 'c']);
    await things().deleteMany({ _id: { $in: ids } });
    await requireInStep();
  });

  it('counts rows: those copied, plus inserted, minus deleted', async () => {
    const { rows } = await sandbox.client.query<{ isBalanced: boolean }>(
      `SELECT (SELECT count(*) FROM things)
              = (SELECT sum(copied) FROM mongo2pg.batches) + (SELECT sum(inserted) - sum(deleted) FROM mongo2pg.slots)
              AS "isBalanced"`,
    );
    assert.equal(rows[0]?.isBalanced, true);
  });

  it('reports its status', async () => {
    const isTold = ({
      insert = 0,
      update = 0,
      delete: deleted = 0,
    }: Readonly<Record<string, number>>): boolean => insert > 500 && update > 2_000 && deleted > 100;
    const event = await following.until(
      'following',
      ({ waiting, lagMs, events }) => waiting === 0 && lagMs === 0 && isTold(events),
    );
    assert.deepEqual(event.obstacles, []);
  });

  it('accepts ids of every type', async () => {
    const ids = [new ObjectId(), 'text', 'Text', new Date(5), true, { a: 1, b: 'x' }, 1.5, -0.5];
    // The column is an integer: other ids become dead letters, and do not affect others.
    await things().insertMany(ids.map((_id) => ({ _id, name: 'odd' })) as Thing[]);
    await untilMerged(sandbox, following);
    await things().deleteMany({ name: 'odd' });
    await requireInStep();
  });
});
