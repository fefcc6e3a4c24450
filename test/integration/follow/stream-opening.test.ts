/** How a process takes over a stream from the one before it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readConfig } from '../../../src/config/config.ts';
import { advanceStream, openStream, takeOverStream } from '../../../src/postgres/ledger/streams/stream.ts';
import type { Changes, StreamPosition } from '../../../src/source/changes.ts';
import type { Database } from '../../../src/source/database.ts';
import { withLane, type Lane } from '../../../src/run/lane.ts';
import { openFollowed } from '../../../src/run/follow/stream-opening.ts';
import { requestOf } from '../../../src/run/follow/stream-request.ts';
import { cleanUp } from '../../support/embedded.ts';
import { createSandbox } from '../../support/servers.ts';

describe('a stream that is taken over', () => {
  // Red where the position is read before the lock: that may be too old for the oplog by then.
  it('is opened where the process before it stopped, also if that advanced while this one waited', async (t) => {
    const sandbox = await createSandbox();
    cleanUp(t, () => sandbox.remove());
    const { mongoDb, env } = sandbox;
    const config = readConfig('start', { follow: true }, { ...env, MONGO_COLLECTION: 'things' });
    const openedAt: (StreamPosition | null)[] = [];
    const changes: Partial<Changes> = {
      openStream: (_selection, from) => {
        openedAt.push(from);
        const position = from ?? positionOf('never');
        return Promise.resolve({
          position,
          close: () => Promise.resolve(),
          next: () => assert.fail('it is not read'),
        });
      },
    };
    const database = { name: mongoDb, changes } as unknown as Database;
    const audience = { onEvent: () => undefined, signal: new AbortController().signal };
    await withLane(config, audience, async (lane) => {
      const { session } = lane;
      const events = { insert: 7 };
      await session.transaction((client) =>
        openStream(client, requestOf(config, database), positionOf('first'), false),
      );
      const former = await session.transaction((client) => takeOverStream(client, '1'));
      const waiting: Lane = {
        session,
        lock: async (take) => {
          const advance = { position: positionOf('last'), serverTime: 6n, oldestTime: null, events };
          await session.transaction((client) => advanceStream(client, former, advance));
          await lane.lock(take);
        },
      };
      const opened = await openFollowed({ ...audience, config, database, lane: waiting });
      try {
        assert.deepEqual(
          openedAt.map((from) => from?.token.toString()),
          ['last'],
        );
        assert.deepEqual(opened.row.events, events);
        assert.equal(opened.row.epoch, former.epoch + 1);
      } finally {
        await opened.session.close();
      }
    });
  });
});

function positionOf(token: string): StreamPosition {
  return { token: Buffer.from(token), time: 5n };
}
