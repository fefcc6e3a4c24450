/** What following bounds: the journal, which a stopped collection must not fill, and the notes. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertEqualTable } from '../../support/compare.ts';
import { documentsOf, setScene } from '../../support/fault.ts';
import { untilMerged } from '../../support/follow.ts';
import { followInProcess } from '../../support/follow-in-process.ts';

describe('the bounds of following', () => {
  it('are not used up by a collection that has stopped: its changes are discarded, and the others are followed', async (t) => {
    const scene = await setScene(t);
    await scene.otherCollection('others').insertMany(documentsOf(400));
    const env = { ...scene.env, MONGO_COLLECTION: 'things,others' };
    const following = await followInProcess(t, env, { maxJournal: 300 });
    await following.until('following');
    await scene.query('ALTER TABLE others RENAME COLUMN text TO renamed');
    await scene.otherCollection('others').updateMany({}, { $set: { text: 'waits' } });
    await following.until('following', ({ stopped }) => stopped.length === 1);
    await scene.otherCollection('others').updateMany({}, { $set: { text: 'waits as well' } });
    await scene.collection.updateMany({}, { $set: { text: 'continues' } });
    await untilMerged(scene);
    await scene.assertEqual();
    const rows = await scene.query(
      'SELECT ended_by FROM mongo2pg.stream_collections WHERE ended_by IS NOT NULL',
    );
    assert.equal(rows.length, 1);
    await following.stop();
    // From now on it must be copied from scratch.
    const again = await followInProcess(t, { ...env, RESTART_ONLY: 'others' }, {});
    await again.until('following', ({ collections }) => collections.length === 2);
    await untilMerged(scene);
    await assertEqualTable(scene.otherCollection('others'), scene.client, 'others');
    await again.stop();
  });

  it('has all documents compared again when more are noted', async (t) => {
    const scene = await setScene(t);
    const env = { ...scene.env, VERIFY_SHARE: '100%' };
    const first = await followInProcess(t, env, {});
    await first.until('following', ({ collections }) => collections[0]?.proof?.verifiedAt != null);
    await first.stop();
    // Nothing is compared meanwhile, so that all of it is noted.
    const merging = await followInProcess(t, { ...env, VERIFY_SHARE: '0%' }, {});
    await merging.until('following');
    await scene.collection.updateMany({ even: true }, { $set: { text: 'noted' } });
    await untilMerged(scene);
    await merging.stop();
    const readTimes = async (): Promise<{ begun: Date; finished: Date } | undefined> => {
      const [row] = await scene.query<{ begun: Date; finished: Date }>(
        'SELECT began_at AS begun, finished_at AS finished FROM mongo2pg.verifications',
      );
      return row;
    };
    const before = await readTimes();
    assert.ok(before?.finished);
    const last = await followInProcess(t, env, { maxNoted: 249 });
    await last.until('notice', ({ message }) => message.includes('too many documents are noted'));
    const isLater = (verifiedAt: string | null | undefined): boolean =>
      verifiedAt != null && new Date(verifiedAt) > before.finished;
    await last.until('following', ({ collections }) => isLater(collections[0]?.proof?.verifiedAt));
    const after = await readTimes();
    assert.ok(after !== undefined && after.begun > before.begun, 'the comparison was begun again');
    await last.stop();
  });
});
