import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProgressEvent, StartedEvent } from '../../../../src/observe/events.ts';
import { JobRecorder } from '../../../../src/observe/live/job-recorder.ts';
import type { Batch } from '../../../../src/source/page.ts';
import { createAck } from '../../../support/acks.ts';
import { followed, following } from '../../../support/following-event.ts';
import { TickingClock } from '../../../support/ticking-clock.ts';

const source = 'school.users';

const started: StartedEvent = {
  ...{ kind: 'started', source, target: 'host:5432/school', workers: 2, workerIds: ['7', '8'] },
  plan: { collection: source, schema: 'public', table: 'users', columns: [], extraColumn: '_extra' },
  ...{ expectedDocuments: 1_000, committedDocuments: 100 },
};

function progress(documents: number, elapsedMs: number, changes: Partial<ProgressEvent> = {}): ProgressEvent {
  return {
    ...{ kind: 'progress', source, documents, elapsedMs, bytes: documents * 10, expectedDocuments: 1_000 },
    ...{
      committedBefore: 100,
      deadLettered: 0,
      dropped: 0,
      inFlightBatches: 1,
      inFlightBytes: 10,
      workers: 2,
      liveWorkers: 2,
    },
    ...changes,
  };
}

function create(): { recorder: JobRecorder; clock: TickingClock } {
  const clock = new TickingClock();
  return { recorder: new JobRecorder(clock), clock };
}

describe('JobRecorder', () => {
  it('records the progress and speed of each collection over time', () => {
    const { recorder, clock } = create();
    recorder.onEvent(started);
    clock.pass(2_000);
    recorder.onEvent(progress(300, 2_000, { deadLettered: 3 }));
    clock.pass(1_000);
    recorder.onEvent(progress(700, 3_000, { deadLettered: 3, dropped: 2 }));
    const { collections, history, deadLettered, dropped, following: nothing } = recorder.read();
    assert.deepEqual(collections, [
      {
        ...{ source, table: 'public.users', state: 'loading', documents: 700, expectedDocuments: 1_000 },
        ...{ perSecond: 200, deadLettered: 3, dropped: 2, changes: null, reason: null },
      },
    ]);
    assert.equal(deadLettered, 3);
    assert.equal(dropped, 2);
    assert.equal(nothing, null);
    // Documents that an earlier process has committed do not count for the speed.
    assert.deepEqual(history.documentsPerSecond, [100, 100, 400, null]);
    assert.deepEqual(history.lagSeconds, [null, null, null, null]);
  });

  it('records the lag and the counts of following, and obstacles to a cutover', () => {
    const { recorder, clock } = create();
    recorder.onEvent(started);
    clock.pass(1_000);
    const users = followed(source, { waiting: 4, inserted: 1, updated: 2, deleted: 3 });
    recorder.onEvent(following({ lagMs: 8_000, waiting: 4, documentsMerged: 10, collections: [users] }));
    clock.pass(1_000);
    const gone = followed('school.gone', { endedBy: 'it was dropped' });
    recorder.onEvent(
      following({
        ...{ lagMs: 3_000, waiting: 2, documentsMerged: 60, obstacles: ['followed no more: school.gone'] },
        ...{ deadLettered: 5, collections: [users, gone] },
      }),
    );
    const state = recorder.read();
    assert.deepEqual(
      state.collections.map((each) => [each.source, each.state, each.reason]),
      [
        ['school.gone', 'followed no more', 'it was dropped'],
        [source, 'following', null],
      ],
    );
    assert.deepEqual(state.collections[1]?.changes, { waiting: 4, inserted: 1, updated: 2, deleted: 3 });
    assert.equal(state.deadLettered, 5);
    assert.deepEqual(state.following?.obstacles, ['followed no more: school.gone']);
    assert.deepEqual(state.history.lagSeconds, [null, 8, 3]);
    assert.deepEqual(state.history.journalRows, [null, 4, 2]);
    assert.deepEqual(state.history.changesPerSecond, [null, 60, null]);
    recorder.onEvent({ kind: 'cut-over', source: 'school.*', leftOut: [] });
    assert.deepEqual(
      recorder.read().collections.map((each) => each.state),
      ['followed no more', 'cut over'],
    );
    assert.equal(recorder.read().following?.isCutOver, true);
  });

  // Red where a collection of which not all were compared counts as one without any.
  it('records how many documents are to be compared again, once all were compared', () => {
    const { recorder } = create();
    const proof = { verifiedAt: '2026-01-31T12:00:00.000Z', compared: 100, unverified: 4, different: 0 };
    const users = followed(source, { proof });
    const readUnverified = (...others: (typeof users)[]): unknown => {
      recorder.onEvent(following({ collections: [users, ...others] }));
      return recorder.read().following?.unverified;
    };
    assert.equal(readUnverified(), 4);
    assert.equal(readUnverified(followed('school.others', { proof: { ...proof, unverified: 3 } })), 7);
    assert.equal(readUnverified(followed('school.others', { proof: { ...proof, verifiedAt: null } })), null);
    assert.equal(readUnverified(followed('school.others')), null);
  });

  it('records the result of a comparison, and keeps dropped documents and dead letters of the run', () => {
    const { recorder } = create();
    recorder.onEvent(started);
    recorder.onEvent(progress(1_000, 1_000, { deadLettered: 7, dropped: 4 }));
    const verifying = { table: '"public"."users"', run: 'run 1', expectedDocuments: 1_000, workers: 2 };
    recorder.onEvent({ kind: 'verifying', source, ...verifying });
    recorder.onEvent(progress(400, 1_000, { committedBefore: 0 }));
    const [collection] = recorder.read().collections;
    assert.deepEqual(
      [collection?.state, collection?.documents, collection?.deadLettered, collection?.dropped],
      ['verifying', 400, 7, 4],
    );
  });

  it('records how busy each worker was recently, and which one died', () => {
    const { recorder, clock } = create();
    const observer = recorder.onRun();
    observer.onReady?.('7');
    observer.onReady?.('8');
    clock.pass(4_000);
    const batch: Batch = {
      ...{ number: 1, rangeNo: 1, epoch: 1, documentCount: 100, bytes: new Uint8Array(2000) },
      ...{ after: null, last: new Uint8Array() },
    };
    const arrival = { startedAtMs: clock.ms - 1_000, ipcMs: 0, idleMs: 0, handOverMs: 0 };
    observer.onAck?.('7', createAck({ transcodeMs: 600, loadMs: 400, arrival }), [batch]);
    recorder.onEvent({
      ...{ kind: 'worker-died', id: '8', how: 'ended by SIGKILL', isReplaced: true },
    });
    assert.deepEqual(recorder.read().workers, [
      { id: '7', isAlive: true, batches: 1, documents: 100, busyShare: 0.25 },
      { id: '8', isAlive: false, batches: 0, documents: 0, busyShare: 0 },
    ]);
    assert.match(recorder.read().notices[0] ?? '', /worker 8 ended by SIGKILL/);
    clock.pass(30_000);
    assert.equal(recorder.read().workers[0]?.busyShare, 0);
  });

  it('shows a limited number, and active collections before finished ones', () => {
    const { recorder } = create();
    for (let number = 0; number < 150; number++) {
      recorder.onEvent({ kind: 'skipped', source: `school.c${number}`, reason: 'it is empty' });
    }
    recorder.onEvent(started);
    const { collections, moreCollections } = recorder.read();
    assert.equal(collections.length, 100);
    assert.equal(moreCollections, 51);
    assert.equal(collections[0]?.source, source);
  });
});
