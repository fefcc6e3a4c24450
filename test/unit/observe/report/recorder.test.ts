import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StartedEvent } from '../../../../src/observe/events.ts';
import { RunMeter } from '../../../../src/observe/run-meter.ts';
import type { Clock } from '../../../../src/common/clock.ts';
import { Recorder } from '../../../../src/observe/report/recorder.ts';
import type { Batch } from '../../../../src/source/page.ts';
import { createAck } from '../../../support/acks.ts';
import { following } from '../../../support/following-event.ts';

/** Time passes when a test says so; what is due is done once, at the end of the step. */
class ScriptedClock implements Clock {
  ms = 10_000;
  #due: (() => void) | undefined;

  get isIdle(): boolean {
    return this.#due === undefined;
  }

  nowMs(): number {
    return this.ms;
  }

  after(_delayMs: number, action: () => void): () => void {
    this.#due = action;
    return () => (this.#due = undefined);
  }

  pass(ms: number): void {
    this.ms += ms;
    const due = this.#due;
    this.#due = undefined;
    due?.();
  }
}

function createRecorder() {
  const clock = new ScriptedClock();
  const recorder = new Recorder(clock);
  const inFlight = { batches: 0, bytes: 0 };
  const begin = (source: string) =>
    recorder.onRun({ source, meter: new RunMeter('cluster', clock), inFlight: () => ({ ...inFlight }) });
  return { clock, recorder, inFlight, begin };
}

const started: StartedEvent = {
  kind: 'started',
  source: 'school.users',
  target: 'host:5432/school',
  plan: { collection: 'school.users', schema: 'public', table: 'users', columns: [], extraColumn: '_extra' },
  workers: 1,
  workerIds: ['7'],
  expectedDocuments: 1000,
  committedDocuments: 0,
};

const batch: Batch = {
  number: 1,
  rangeNo: 1,
  epoch: 1,
  documentCount: 100,
  bytes: new Uint8Array(2000),
  after: null,
  last: new Uint8Array(),
};

describe('Recorder', () => {
  it('records what a worker did, and when, from its acks', () => {
    const { clock, recorder, begin } = createRecorder();
    const observer = begin('school.users');
    clock.pass(50);
    recorder.onEvent(started);
    observer.onReady('7');
    clock.pass(100);
    const arrival = { startedAtMs: 10_050, ipcMs: 0, idleMs: 0, handOverMs: 0 };
    observer.onAck('7', createAck({ transcodeMs: 50, loadMs: 50, arrival, memoryBytes: 80 }), [batch]);
    const [section] = recorder.report(null).sections;
    const { workers, documents, bytes, intervalMs } = section?.series ?? assert.fail('there is a section');
    assert.equal(intervalMs, 50);
    assert.deepEqual(documents, [0, 50, 50, 0]);
    assert.deepEqual(bytes, [0, 1000, 1000, 0]);
    assert.deepEqual(workers, [
      {
        id: '7',
        readyMs: 50,
        goneMs: 150,
        transcodeMs: [0, 50, 0, 0],
        loadMs: [0, 0, 50, 0],
        memoryBytes: [null, null, null, 80],
      },
    ]);
    assert.deepEqual([section?.planEndMs, section?.loadEndMs, section?.endMs], [50, undefined, 150]);
  });

  it('samples what is in flight, until the run ends', () => {
    const { clock, recorder, inFlight, begin } = createRecorder();
    const observer = begin('school.users');
    recorder.onEvent(started);
    inFlight.batches = 3;
    inFlight.bytes = 6000;
    clock.pass(50);
    observer.onEnd();
    assert.equal(clock.isIdle, true);
    const series = recorder.report(null).sections[0]?.series;
    assert.deepEqual(series?.inFlightBatches, [0, 3]);
    assert.deepEqual(series.inFlightBytes, [0, 6000]);
  });

  it('records no memory for a worker that has ended', () => {
    const { clock, recorder, begin } = createRecorder();
    const observer = begin('school.users');
    recorder.onEvent(started);
    observer.onReady('7');
    const arrival = { startedAtMs: 10_000, ipcMs: 0, idleMs: 0, handOverMs: 0 };
    observer.onAck('7', createAck({ arrival, memoryBytes: 80 }), [batch]);
    observer.onGone('7');
    clock.pass(100);
    assert.deepEqual(recorder.report(null).sections[0]?.series.workers[0]?.memoryBytes, [80, null, null]);
  });

  it('distinguishes several collections at the same time, which of them failed, and why', () => {
    const { clock, recorder, begin } = createRecorder();
    const observers = ['school.users', 'school.courses', 'school.notes'].map(begin);
    recorder.onEvent(started);
    recorder.onEvent({ ...started, source: 'school.courses' });
    clock.pass(100);
    const failure = { message: 'disk full', fix: 'make room', code: 'TARGET', exitCode: 4 } as const;
    recorder.onEvent({ kind: 'failed', work: 'copy', source: 'school.users', ...failure, isAlone: true });
    clock.pass(100);
    observers[1]?.onEnd();
    clock.pass(1000);
    const { sections, notices } = recorder.report(null);
    // The third never started: it has no data.
    assert.deepEqual(
      sections.map(({ source, failure: why, endMs }) => ({ source, why, endMs })),
      [
        { source: 'school.users', why: 'disk full — make room', endMs: 100 },
        { source: 'school.courses', why: null, endMs: 200 },
      ],
    );
    assert.deepEqual(notices, ['school.users failed: disk full']);
  });

  it('keeps the last notices, without passwords', () => {
    const { recorder } = createRecorder();
    for (let number = 1; number <= 150; number++) {
      recorder.onEvent({ kind: 'notice', message: `${number}: postgres://user:secret@host/db is away` });
    }
    const { notices } = recorder.report(null);
    assert.equal(notices.length, 100);
    assert.equal(notices.at(-1), '150: postgres://user:***@host/db is away');
  });

  it('records following over time, from the first event', () => {
    const { clock, recorder } = createRecorder();
    assert.equal(recorder.report(null).following, null);
    clock.pass(5_000);
    recorder.onEvent(following({ lagMs: 8_000, waiting: 90 }));
    clock.pass(1_000);
    recorder.onEvent(following({ lagMs: 3_000, waiting: 20, documentsMerged: 70 }));
    clock.pass(1_000);
    // It ended, copied a new collection, and began again.
    recorder.onEvent(following({ lagMs: 0, waiting: 0, documentsMerged: 10 }));
    recorder.onEvent({ kind: 'cut-over', source: 'school.*', leftOut: [] });
    const section = recorder.report(null).following ?? assert.fail('it was followed');
    assert.deepEqual([section.endMs, section.isCutOver, section.latest.documentsMerged], [2_000, true, 10]);
    const { intervalMs, changes, lagMs, journalRows } = section.series;
    assert.deepEqual([intervalMs, lagMs, journalRows], [1_000, [8_000, 3_000, 0], [90, 20, 0]]);
    assert.deepEqual(changes, [70, 10, 0]);
  });
});
