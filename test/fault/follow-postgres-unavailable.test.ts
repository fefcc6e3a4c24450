/** PostgreSQL restarts, crashes and loses acked drains, or breaks connections, while changes are merged. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BSON } from 'mongodb';
import { createClient } from '../support/date-style.ts';
import { assertEqualTable } from '../support/compare.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf } from '../support/fault.ts';
import { untilMerged } from '../support/follow.ts';
import { inline, setFollowScene, setFollowSceneOn, type FollowScene } from '../support/follow-scene.ts';
import { keepCommitsFromDisk, letCommitsToDisk } from '../support/lost-commits.ts';
import {
  startPrivatePostgres,
  type PostgresStopMode,
  type PrivateServer,
} from '../support/private-servers.ts';
import { mongoUrl } from '../support/servers.ts';

/** Its change is alone in a reply of the stream, and so the first in it. */
const lastId = 77_777;
const lastHex = Buffer.from(BSON.serialize({ _id: lastId })).toString('hex');

async function write(scene: FollowScene, round: number): Promise<void> {
  await scene.collection.insertMany(documentsOf(100, 10_000 + 1_000 * round));
  await scene.collection.updateMany({ even: true }, { $set: { text: `round ${round}` } });
  await scene.collection.deleteMany({ _id: { $gte: (10 * round) as never, $lt: (10 * round + 5) as never } });
}

describe('PostgreSQL, while changes are followed,', () => {
  let postgres: PrivateServer<PostgresStopMode>;
  before(async () => {
    postgres = await startPrivatePostgres();
  });
  after(() => postgres.remove());

  // Red where changes are taken out of the journal before their rows are merged.
  it('crashes and loses acked drains: they are repeated', async (t) => {
    const scene = await setFollowSceneOn(t, mongoUrl, { postgresUrl: postgres.url });
    const killWriter = await keepCommitsFromDisk(scene.client);
    const failpoints = await setFailpoints(t, {
      'primary-before-drain': 'pausex*',
      'primary-after-drain': 'pausex*',
      // Its commit would flush the drains before it.
      'primary-before-journal': `pause?${lastHex}`,
    });
    // So would a comparison in the background.
    const following = scene.follow({ ...inline, VERIFY_SHARE: '0%', ...failpoints.env });
    await following.until('following');
    // And so would the pace, which is written once a second: without its row, nothing is written.
    await waitUntil('it has written that for the first time', async () => {
      return (await scene.query('DELETE FROM mongo2pg.paces RETURNING process')).length > 0;
    });
    await scene.collection.updateOne({ _id: 5 as never }, { $set: { text: 'taken back once' } });
    await failpoints.waitUntilFired('primary-before-drain');
    await scene.collection.insertOne({ _id: lastId as never, text: 'last', even: false });
    await failpoints.waitUntilFired('primary-before-journal');
    await failpoints.resume('primary-before-drain');
    await failpoints.waitUntilFired('primary-after-drain');
    const waiting = 'SELECT count(*)::int AS count FROM mongo2pg.changes';
    assert.deepEqual(await scene.query(waiting), [{ count: 0 }], 'the drain is committed');
    killWriter();
    await postgres.restart('immediate');
    const fresh = createClient(postgres.url);
    await fresh.connect();
    assert.deepEqual((await fresh.query(waiting)).rows, [{ count: 1 }], 'its commit was taken back');
    await failpoints.resume('primary-after-drain');
    await failpoints.resume('primary-before-journal');
    await untilMerged({ db: scene.db, client: fresh }, following);
    await assertEqualTable(scene.collection, fresh, 'things');
    await following.stop();
    await letCommitsToDisk(fresh);
    await fresh.end();
  });

  // Red where a difference is committed asynchronously, as any other batch of a worker.
  for (const [what, window] of [
    ['a page of all documents', 'primary-after-verified-page'],
    ['notes', 'primary-before-notes-removed'],
  ] as const) {
    it(`crashes after ${what} were compared, before that is recorded: the differences are on disk`, async (t) => {
      const scene = await setFollowSceneOn(t, mongoUrl, { postgresUrl: postgres.url });
      const isOfNotes = window === 'primary-before-notes-removed';
      const first = scene.follow({ ...inline, VERIFY_SHARE: isOfNotes ? '100%' : '0%' });
      await first.until('following', ({ collections }) =>
        collections.every(({ proof }) => !isOfNotes || proof?.verifiedAt != null),
      );
      await first.stop();
      const merging = scene.follow({ ...inline, VERIFY_SHARE: '0%' });
      await scene.collection.updateOne({ _id: 5 as never }, { $set: { text: 'merged' } });
      await scene.untilMerged(merging);
      await merging.stop();
      await scene.query("UPDATE things SET text = 'tampered' WHERE _id = 5");
      const killWriter = await keepCommitsFromDisk(scene.client);
      // The commit of the position would flush what was committed before it.
      const failpoints = await setFailpoints(t, { [window]: 'pause', 'primary-before-journal': 'pause' });
      const following = scene.follow({ ...inline, VERIFY_SHARE: '100%', ...failpoints.env });
      await failpoints.waitUntilFired(window);
      killWriter();
      await postgres.restart('immediate');
      const fresh = createClient(postgres.url);
      await fresh.connect();
      t.after(() => fresh.end());
      await letCommitsToDisk(fresh);
      const { rows } = await fresh.query('SELECT FROM mongo2pg.unverified');
      assert.equal(rows.length, 1, 'what differed is on the disk');
      await failpoints.resume(window);
      await failpoints.resume('primary-before-journal');
      await following.until('following', ({ collections }) =>
        collections.some(({ proof }) => proof?.verifiedAt != null && proof.different === 1),
      );
      await following.stop();
    });
  }

  // Red where the journal is not written again. A merge that its worker does not do again is done by the worker's replacement.
  for (const mode of ['fast', 'immediate'] as const) {
    it(`restarts (${mode}) during merges and writes of the journal`, async (t) => {
      const scene = await setFollowSceneOn(t, mongoUrl, { postgresUrl: postgres.url });
      const failpoints = await setFailpoints(t, {
        'worker-in-merge': 'pause@3x*',
        'primary-before-journal': `pause?${lastHex}`,
      });
      const following = scene.follow(failpoints.env);
      await following.until('following');
      await write(scene, 1);
      await failpoints.waitUntilFired('worker-in-merge');
      await scene.collection.insertOne({ _id: lastId as never, text: 'last', even: false });
      await failpoints.waitUntilFired('primary-before-journal');
      await postgres.restart(mode);
      await failpoints.resume('worker-in-merge');
      await failpoints.resume('primary-before-journal');
      await write(scene, 2);
      const fresh = createClient(postgres.url);
      await fresh.connect();
      await untilMerged({ db: scene.db, client: fresh }, following);
      await assertEqualTable(scene.collection, fresh, 'things');
      await fresh.end();
      await following.stop();
    });
  }

  // Red where the journal is not written again.
  it('terminates connections of the reader, the drains and the workers, repeatedly', async (t) => {
    const scene = await setFollowScene(t);
    const following = scene.follow();
    await following.until('following');
    for (let round = 1; round <= 5; round++) {
      await write(scene, round);
      await scene.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
    }
    await scene.untilMerged(following);
    await scene.assertEqual();
    await following.stop();
  });

  // Red where the number of the collection is kept before the commit.
  it('terminates the connection of the reader while it records a new collection', async (t) => {
    const scene = await setFollowScene(t);
    const following = scene.follow({ ...inline, MONGO_COLLECTION: 'things,others*' });
    await following.until('following');
    // The reader has numbered the new collection, and pauses.
    await scene.query('BEGIN; LOCK TABLE mongo2pg.changes IN EXCLUSIVE MODE');
    await scene.otherCollection('others').insertMany(documentsOf(100));
    await waitUntil('the reader waits for the journal', async () => {
      await scene.query('SELECT pg_stat_clear_snapshot()');
      const sessions = await scene.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'mongo2pg changes' AND datname = current_database()
            AND wait_event_type = 'Lock' AND query LIKE 'COPY mongo2pg.changes%'`,
      );
      return sessions.length > 0;
    });
    await scene.query('COMMIT');
    await scene.otherCollection('others').updateMany({ even: true }, { $set: { text: 'changed' } });
    await scene.untilMerged(following);
    await assertEqualTable(scene.otherCollection('others'), scene.client, 'others');
    await following.stop();
  });
});
