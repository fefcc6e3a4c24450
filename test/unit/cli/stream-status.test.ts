import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeStream } from '../../../src/cli/text/stream-status.ts';
import type { StreamStatus } from '../../../src/observe/status.ts';

const stream: StreamStatus = {
  ...{ streamId: '3', sourceDb: 'school', selection: 'users,orders*', schema: 'public', state: 'following' },
  ...{ openedAt: new Date('2026-01-31T12:00:00.000Z'), readAt: new Date('2026-01-31T12:10:00.000Z') },
  ...{ cutOverAt: null, lagMs: 0, waiting: 0, refused: 0, deadLettered: 0, events: {} },
  ...{ inserted: 0, updated: 0, deleted: 0, oplogWindowMs: null, proofs: [], obstacles: [] },
};

function describeLines(changes: Partial<StreamStatus>): string[] {
  return describeStream({ ...stream, ...changes }).split('\n');
}

describe('the status of a stream', () => {
  it('that is caught up', () => {
    assert.deepEqual(describeLines({}), [
      'stream 3: school (users,orders*) → schema public: following · caught up · 0 changes waiting · can cut over: yes',
      '  begun 2026-01-31 12:00:00 UTC',
      '  read no changes; rows inserted 0, updated 0, deleted 0',
      '  next: stop all writes to MongoDB, then npm run cutover',
    ]);
  });

  it('that is behind, with all obstacles to a cutover', () => {
    const proof = {
      verifiedAt: '2026-01-31T12:05:00.000Z',
      compared: 5_000,
      unverified: 1_200,
      different: 2,
    };
    const lines = describeLines({
      ...{ lagMs: 65_000, waiting: 1_204, refused: 3, oplogWindowMs: 31 * 3_600_000 },
      ...{ events: { insert: 2_000, update: 1, drop: 1 }, inserted: 1_999, updated: 1, deleted: 12_345 },
      obstacles: ['65 s behind', '2 dead letters'],
      proofs: [
        { collection: 'users', ...proof },
        { collection: 'orders', ...proof, verifiedAt: null, unverified: 1, different: 0 },
      ],
    });
    assert.deepEqual(lines, [
      'stream 3: school (users,orders*) → schema public: following · 1 min 5 s behind · 1,204 changes waiting · 3 of them refused · oplog window 31 h 0 min · can cut over: no (65 s behind; 2 dead letters)',
      '  begun 2026-01-31 12:00:00 UTC',
      '  read 2,000 insert, 1 update, 1 drop; rows inserted 1,999, updated 1, deleted 12,345',
      '  users: all documents compared until 2026-01-31 12:05:00 UTC, 1,200 documents to compare again, 2 differ',
      '  orders: comparing all documents, 5,000 so far, 1 document to compare again',
      '  next: nothing, it is running',
    ]);
  });

  it('that is not followed, was cut over, or was abandoned', () => {
    const stopped = describeLines({ state: 'stopped', waiting: 1, obstacles: ['no process follows'] });
    assert.match(
      stopped[0] ?? '',
      /: stopped · caught up · 1 change waiting · can cut over: no \(no process follows\)$/,
    );
    assert.equal(stopped.at(-1), '  next: run the same command again: it resumes where it stopped');
    const cutOver = describeLines({ state: 'cut over', cutOverAt: new Date('2026-01-31T13:00:00.000Z') });
    assert.match(cutOver[0] ?? '', /: cut over$/);
    assert.equal(cutOver[1], '  begun 2026-01-31 12:00:00 UTC · cut over 2026-01-31 13:00:00 UTC');
    assert.equal(cutOver.at(-1), '  next: nothing; the application may write to PostgreSQL');
    const givenUp = describeLines({ state: 'given up' });
    assert.match(givenUp[0] ?? '', /: given up$/);
    assert.equal(givenUp.at(-1), '  next: nothing, a later one has taken its place');
  });
});
