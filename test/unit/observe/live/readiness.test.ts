import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { RunEvent } from '../../../../src/observe/events.ts';
import { Readiness } from '../../../../src/observe/live/readiness.ts';
import { following } from '../../../support/following-event.ts';
import { TickingClock } from '../../../support/ticking-clock.ts';

const away: RunEvent = { kind: 'retried', server: 'postgres', times: 1, reason: 'it restarts' };
const finishing: RunEvent = { kind: 'finishing', source: 'school.users' };

function progress(inFlightBatches: number): RunEvent {
  const counts = {
    documents: 1,
    bytes: 1,
    expectedDocuments: 1,
    committedBefore: 0,
    deadLettered: 0,
    dropped: 0,
  };
  const workers = { inFlightBytes: 0, liveWorkers: 1, elapsedMs: 1, workers: 1 };
  return { kind: 'progress', source: 'school.users', inFlightBatches, ...counts, ...workers };
}

describe('readiness', () => {
  let clock: TickingClock;
  let readiness: Readiness;
  beforeEach(() => {
    clock = new TickingClock();
    readiness = new Readiness(clock);
  });

  function hear(...events: readonly RunEvent[]): void {
    for (const event of events) readiness.onEvent(event);
  }

  it('is not there before anything is copied, and says so', () => {
    assert.equal(readiness.read(), 'nothing is copied yet');
    hear(away);
    assert.match(readiness.read() ?? '', /^postgres was away.*it restarts/);
  });

  it('outlasts a server that is away for seconds, and not one that is away for long', () => {
    hear(progress(2), away);
    clock.pass(29_000);
    assert.equal(readiness.read(), null);
    clock.pass(1_000);
    assert.equal(readiness.read(), 'postgres was away, and nothing was committed since: it restarts');
    hear(progress(2));
    assert.equal(readiness.read(), null);
  });

  it('is there while a host waits for a migration to join, and after it, however long that is', () => {
    hear({ kind: 'host-waiting' }, away);
    clock.pass(3_600_000);
    assert.equal(readiness.read(), null);
    hear(progress(2), { kind: 'host-waiting' });
    clock.pass(3_600_000);
    assert.equal(readiness.read(), null);
  });

  it('takes what a worker has done again for what it is: done', () => {
    hear(progress(2), { kind: 'retried', server: 'postgres', times: 3, reason: null });
    clock.pass(60_000);
    assert.equal(readiness.read(), null);
  });

  it('ends where no batch is committed of those that are under way', () => {
    hear(progress(2));
    clock.pass(119_000);
    assert.equal(readiness.read(), null);
    clock.pass(1_000);
    assert.equal(readiness.read(), 'no batch was committed for 120 s');
    hear(progress(0));
    clock.pass(600_000);
    assert.equal(readiness.read(), null, 'nothing is under way');
  });

  it('waits for an index for as long as it takes', () => {
    hear(progress(2), finishing, away);
    clock.pass(3_600_000);
    assert.equal(readiness.read(), null);
  });

  it('needs to hear of a stream that is followed', () => {
    hear(following());
    clock.pass(29_000);
    assert.equal(readiness.read(), null);
    clock.pass(1_000);
    assert.equal(readiness.read(), 'the stream was not heard of for 30 s');
  });
});
