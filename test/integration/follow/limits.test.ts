/** What following keeps within bounds: the journal, of which a stopped collection is not to take all, and what is noted. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertEqualTable } from '../../support/compare.ts';
import { documentsOf, setScene } from '../../support/fault.ts';
import { untilMerged } from '../../support/follow.ts';
import { followHere } from '../../support/follow-here.ts';

describe('the bounds of following', () => {
  it('are not used up by a collection that has stopped: its changes are given up, and the others go on', async (t) => {
    const scene = await setScene(t);
    await scene.otherCollection('others').insertMany(documentsOf(400));
    const env = { ...scene.env, MONGO_COLLECTION: 'things,others' };
    const following = await followHere(t, env, { maxJournal: 300 });
    await following.until('following');
    await scene.query('ALTER TABLE others RENAME COLUMN text TO renamed');
    await scene.otherCollection('others').updateMany({}, { $set: { text: 'waits' } });
    await following.until('following', ({ stopped }) => stopped.length === 1);
    await scene.otherCollection('others').updateMany({}, { $set: { text: 'waits as well' } });
    await scene.collection.updateMany({}, { $set: { text: 'goes on' } });
    await untilMerged(scene);
    await scene.assertEqual();
    const rows = await scene.query(
      'SELECT ended_by FROM mongo2pg.stream_collections WHERE ended_by IS NOT NULL',
    );
    assert.equal(rows.length, 1);
    await following.stop();
    // From now on nothing but a copy from scratch helps.
    const again = await followHere(t, { ...env, RESTART_ONLY: 'others' }, {});
    await again.until('following', ({ collections }) => collections.length === 2);
    await untilMerged(scene);
    await assertEqualTable(scene.otherCollection('others'), scene.client, 'others');
    await again.stop();
  });

  it('has all documents compared again when more are noted', async (t) => {
    const scene = await setScene(t);
    const env = { ...scene.env, VERIFY_SHARE: '100%' };
    const first = await followHere(t, env, {});
    await first.until('following', ({ collections }) => collections[0]?.proof?.verifiedAt != null);
    await first.stop();
    // Nothing is compared meanwhile, so that all of it is noted.
    const merging = await followHere(t, { ...env, VERIFY_SHARE: '0%' }, {});
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
    const last = await followHere(t, env, { maxNoted: 249 });
    await last.until('notice', ({ message }) => message.includes('too many documents are noted'));
    const isLater = (verifiedAt: string | null | undefined): boolean =>
      verifiedAt != null && new Date(verifiedAt) > before.finished;
    await last.until('following', ({ collections }) => isLater(collections[0]?.proof?.verifiedAt));
    const after = await readTimes();
    assert.ok(after !== undefined && after.begun > before.begun, 'the comparison was begun anew');
    await last.stop();
  });
});
