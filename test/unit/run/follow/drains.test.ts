import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type pg from 'pg';
import { Announcements } from '../../../../src/common/announcements.ts';
import type { Session } from '../../../../src/postgres/connection/session.ts';
import { Drains } from '../../../../src/run/follow/drains.ts';
import type { Changes } from '../../../../src/source/changes.ts';
import { TickingClock } from '../../../support/ticking-clock.ts';

/** Its server is unavailable for a time before each answer, and takes a time for it. */
function makeSession(clock: TickingClock, awayMs: number, answerMs: number) {
  let counts = 0;
  const client = {
    query: () => {
      counts++;
      clock.pass(answerMs);
      return Promise.resolve({ rows: [] });
    },
  } as unknown as pg.Client;
  const session = {
    run: <T>(work: (client: pg.Client) => Promise<T>) => {
      clock.pass(awayMs);
      return work(client);
    },
  } as unknown as Session;
  return { session, countsSoFar: () => counts };
}

function makeDrains(session: Session, clock: TickingClock): Drains {
  return new Drains({
    ...{ session, clock, streamId: '1', filter: undefined, news: new Announcements() },
    ...{ changes: {} as Changes, signal: new AbortController().signal, parallel: () => 1 },
  });
}

describe('the number of pending changes', () => {
  // Red where the outage of the server counts as the duration of the count: it pauses for ten times as long.
  it('is counted again soon after an outage of PostgreSQL', async () => {
    const clock = new TickingClock();
    const { session, countsSoFar } = makeSession(clock, 5_000, 1);
    const drains = makeDrains(session, clock);
    await drains.pump();
    assert.equal(countsSoFar(), 1);
    clock.pass(200);
    await drains.pump();
    assert.equal(countsSoFar(), 2);
  });

  it('is counted in a tenth of the time at most', async () => {
    const clock = new TickingClock();
    const { session, countsSoFar } = makeSession(clock, 0, 100);
    const drains = makeDrains(session, clock);
    await drains.pump();
    clock.pass(999);
    await drains.pump();
    assert.equal(countsSoFar(), 1);
    clock.pass(1);
    await drains.pump();
    assert.equal(countsSoFar(), 2);
  });
});
