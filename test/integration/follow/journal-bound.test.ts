/** A reader that is faster than the drains: the journal has a limit, at which the server keeps the rest. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { ChangeReader } from '../../../src/run/follow/change-reader.ts';
import { Session } from '../../../src/postgres/connection/session.ts';
import { openStream, takeOverStream } from '../../../src/postgres/ledger/streams/stream.ts';
import { MongoChanges } from '../../../src/source/mongo/changes/mongo-changes.ts';
import { waitUntil } from '../../support/embedded.ts';
import { documentsOf } from '../../support/fault.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';

const maxJournal = 100;

describe('a journal that is not drained', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(() => sandbox.remove());

  // Red where the reader does not wait for capacity.
  it('stays within its limit, and reading resumes once there is capacity', async () => {
    const { db, client, postgresUrl } = sandbox;
    const mongo = await MongoClient.connect(mongoUrl);
    const options = {
      url: postgresUrl,
      applicationName: 'mongo2pg changes',
      retryLimitMs: 1_000,
      answerTimeoutMs: 10_000,
    };
    const session = await Session.open(options);
    const changes = new MongoChanges(mongo, { url: mongoUrl, db: db.databaseName, retryLimitMs: 1_000 });
    const stream = await changes.openStream({ wanted: 'things', excluded: '' }, null);
    const request = { sourceDb: db.databaseName, schema: 'public', selection: 'things' };
    const opened = await session.transaction((pgClient) =>
      openStream(pgClient, request, stream.position, false),
    );
    const { epoch } = await session.transaction((pgClient) => takeOverStream(pgClient, opened.streamId));
    const replies = { asked: 0, given: 0 };
    const reader = new ChangeReader({
      session,
      stream: {
        position: stream.position,
        close: () => stream.close(),
        next: async () => {
          replies.asked++;
          const reply = await stream.next();
          replies.given++;
          return reply;
        },
      },
      changes,
      row: { ...opened, epoch },
      limits: { maxJournal },
    });
    const reading = reader.run();
    const count = async (): Promise<number> => {
      const { rows } = await client.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM mongo2pg.changes',
      );
      return rows[0]?.count ?? 0;
    };
    try {
      // A reply has only what exists: at most one reply exceeds the limit.
      for (let written = 0; written <= maxJournal; written += 30) {
        await db.collection('things').insertMany(documentsOf(30, written));
        await waitUntil('the reader has them', async () => (await count()) === written + 30);
      }
      assert.equal(reader.isPaused, true);
      const before = await count();
      const { given } = replies;
      await db.collection('things').insertMany(documentsOf(1_000, 10_000));
      // What it was doing when it paused ends with the next reply of the server.
      await changes.readTime();
      assert.equal(await count(), before, 'nothing is read as long as there is no room');
      assert.deepEqual(replies, { asked: given, given }, 'nor is it asked for');
      await client.query('DELETE FROM mongo2pg.changes');
      reader.waiting = 0;
      await waitUntil('the rest is read', async () => (await count()) === 1_000);
      assert.equal(reader.isPaused, true);
    } finally {
      reader.stop();
      await reading;
      await stream.close();
      await session.close();
      await mongo.close();
    }
    reader.check();
  });
});
