import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { requireEqual, startFollowing, untilMerged } from '../../support/follow.ts';

describe('--follow', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  it('merges what is written after the copy', async () => {
    const things = sandbox.db.collection<{ _id: number; name: string; n?: number }>('things');
    await things.insertMany(Array.from({ length: 5000 }, (_, _id) => ({ _id, name: `thing ${_id}` })));
    const env = { ...sandbox.env, MONGO_COLLECTION: 'things' };
    const following = startFollowing(env);
    await following.until('following');
    await things.insertMany(Array.from({ length: 100 }, (_, i) => ({ _id: 10_000 + i, name: 'new' })));
    await things.updateMany({ _id: { $lt: 200 } }, { $set: { n: 5 } });
    await things.deleteMany({ _id: { $gte: 4000, $lt: 4100 } });
    await untilMerged(sandbox, following);
    await requireEqual(env);
    const { code, stderr } = await following.stop();
    assert.equal(code, 130, stderr);
  });
});
