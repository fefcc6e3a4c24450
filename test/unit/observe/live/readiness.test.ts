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

  it('is false before anything is copied, with the reason', () => {
    assert.equal(readiness.read(), 'nothing is copied yet');
    hear(away);
    assert.match(readiness.read() ?? '', /^postgres was away.*it restarts/);
  });

  it('tolerates a server that is unavailable for seconds, and not for longer', () => {
    hear(progress(2), away);
    clock.pass(29_000);
    assert.equal(readiness.read(), null);
    clock.pass(1_000);
    assert.equal(readiness.read(), 'postgres was away, and nothing was committed since: it restarts');
    hear(progress(2));
    assert.equal(readiness.read(), null);
  });

  // Red where a host that joins while changes are followed counts as one that copies nothing yet.
  it('is true while a host merges the changes that another one reads, without limit', () => {
    hear({ kind: 'host-merging', slots: 22 });
    clock.pass(3_600_000);
    assert.equal(readiness.read(), null);
  });

  it('is true while a host waits for a migration to join, and after it, without limit', () => {
    hear({ kind: 'host-waiting' }, away);
    clock.pass(3_600_000);
    assert.equal(readiness.read(), null);
    hear(progress(2), { kind: 'host-waiting' });
    clock.pass(3_600_000);
    assert.equal(readiness.read(), null);
  });

  it('is true after a batch was redelivered and committed', () => {
    hear(progress(2), { kind: 'retried', server: 'postgres', times: 3, reason: null });
    clock.pass(60_000);
    assert.equal(readiness.read(), null);
  });

  it('is false if no batch of those in flight is committed', () => {
    hear(progress(2));
    clock.pass(119_000);
    assert.equal(readiness.read(), null);
    clock.pass(1_000);
    assert.equal(readiness.read(), 'no batch was committed for 120 s');
    hear(progress(0));
    clock.pass(600_000);
    assert.equal(readiness.read(), null, 'nothing is under way');
  });

  it('is true while an index is built, without limit', () => {
    hear(progress(2), finishing, away);
    clock.pass(3_600_000);
    assert.equal(readiness.read(), null);
  });

  it('is false if a followed stream sends nothing', () => {
    hear(following());
    clock.pass(29_000);
    assert.equal(readiness.read(), null);
    clock.pass(1_000);
    assert.equal(readiness.read(), 'the stream was not heard of for 30 s');
  });
});
